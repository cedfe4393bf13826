import { expect, it } from 'vitest'
import type { Document } from '../api/documents'
import { plansOf, usedOf } from './quotas'

const DAY_S = 86_400

function limit(name: string, namespace: string, spec: object): Document {
  return { apiVersion: 'meshway/v1', kind: 'RateLimit', metadata: { name, namespace }, spec } as unknown as Document
}

it('tells the limits that count a Consumer by itself', () => {
  const quota = { limit: 1000, per: 'day' as const }
  const limits = [
    limit('daily', 'shop', { key: ['consumer'], quota }),
    limit('all', 'mesh', { key: ['route', 'consumer'], token_bucket: { rate: '5/s', burst: 9 }, mode: 'audit' }),
    limit('by-address', 'shop', { key: ['source_ip'], token_bucket: { rate: '5/s' } }),
    limit('elsewhere', 'bank', { key: ['consumer'], in_flight: { max: 3 } }),
  ]
  expect(plansOf(limits, 'shop').map((one) => [one.name, one.text, one.isAudit])).toEqual([
    ['daily', '1000 / day', false],
    ['all', '5/s, burst 9', true],
  ])
  expect(plansOf(limits, 'mesh').map((one) => one.name)).toEqual(['daily', 'all', 'elsewhere'])
})

it('adds up what was admitted since the day or the month began', () => {
  const begin = Date.UTC(2026, 10, 29) / 1000
  const days = [0, 1, 2, 3].map((day) => ({
    begin: begin + day * DAY_S, // 29 and 30 November, 1 and 2 December
    calls: { calls: 10 + day, failed: 1, limited: 2, denied: 1 },
  }))
  expect(usedOf(days, 'day')).toBe(10)
  expect(usedOf(days, 'month')).toBe(9 + 10)
  expect(usedOf([], 'day')).toBe(0)
})
