import { expect, test } from 'vitest'
import { smooth } from './smooth'

test('a line goes from its first point to its last, round the bends between', () => {
  const path = smooth([
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 10 },
    { x: 20, y: 10 },
  ])
  expect(path).toBe('M0.0,0.0Q10.0,0.0 10.0,5.0Q10.0,10.0 20.0,10.0')
})

test('two points are joined by one curve, none by nothing', () => {
  expect(
    smooth([
      { x: 0, y: 0 },
      { x: 10, y: 4 },
    ]),
  ).toBe('M0.0,0.0C5.0,0.0 5.0,4.0 10.0,4.0')
  expect(smooth([])).toBe('')
})
