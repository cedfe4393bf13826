import { expect, test } from 'vitest'
import { pathOf } from './Sparkline'

test('a gap is not bridged, and a point alone is drawn', () => {
  expect(pathOf([1, 2, null, 3], 10, (value) => value)).toBe('M0.0 1.0h0L10.0 2.0M30.0 3.0h0')
})

test('nothing known draws nothing', () => {
  expect(pathOf([null, null], 10, (value) => value)).toBe('')
})
