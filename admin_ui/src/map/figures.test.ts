import { expect, test } from 'vitest'
import { NOTHING, sum } from './figures'

test('calls add up, shares weigh by their calls, of percentiles the highest counts', () => {
  const total = sum([
    { ...NOTHING, calls: 30, rps: 3, error_share: 0.1, p95_ms: 5 },
    { ...NOTHING, calls: 10, rps: 1, error_share: 0.5, p95_ms: 9 },
  ])
  expect(total).toMatchObject({ calls: 40, rps: 4, error_share: 0.2, p95_ms: 9 })
  expect(sum([])).toEqual(NOTHING)
})
