import { expect, test } from 'vitest'
import { momentOf, speedStep } from './moments'

test('the slider stands on whole minutes, at its end on now', () => {
  expect(momentOf(0, 1_000_000)).toBeUndefined()
  expect(momentOf(-2, 1_000_000)).toBe(960 - 120)
})

test('time that is played ends at now', () => {
  expect(speedStep(100, 20, 1_000_000)).toBe(120)
  expect(speedStep(990, 20, 1_000_000)).toBeUndefined()
})
