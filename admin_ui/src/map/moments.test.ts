import { expect, test } from 'vitest'
import { momentOf, speedStep, unique } from './moments'

test('the slider stands on whole minutes, at its end on now', () => {
  expect(momentOf(0, 1_000_000)).toBeUndefined()
  expect(momentOf(-2, 1_000_000)).toBe(960 - 120)
})

test('time that is played ends at now', () => {
  expect(speedStep(100, 20, 1_000_000)).toBe(120)
  expect(speedStep(990, 20, 1_000_000)).toBeUndefined()
})

test('what happened in one second is one moment with all names', () => {
  const moment = (at: number, name: string) => ({ at, name, kind: 'revision' as const })
  const names = unique([moment(3, 'r3'), moment(2, 'r2'), moment(3, 'slow')]).map(({ at, name }) => [at, name])
  expect(names).toEqual([
    [3, 'r3, slow'],
    [2, 'r2'],
  ])
})
