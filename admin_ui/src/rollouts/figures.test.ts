import { expect, test } from 'vitest'
import { signed } from './figures'

test('a difference has its sign, and an end that is not known is none', () => {
  expect(signed(3.74, 'en')).toBe('+3.7')
  expect(signed(-0.26, 'en')).toBe('-0.3')
  expect(signed(0, 'en')).toBe('0')
  expect(signed(null, 'en')).toBe('…')
  expect(signed(undefined, 'en')).toBe('…')
})
