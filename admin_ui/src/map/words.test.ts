import type { TFunction } from 'i18next'
import { expect, test } from 'vitest'
import { NOTHING } from './figures'
import type { Line } from './graph'
import { cardMarks, isOfBytes, labelOf, marksOf, versionsOf } from './words'

const t = ((key: string, holes?: { share?: string }) => `${key} ${holes?.share ?? ''}`.trim()) as TFunction
const CALLS = { ...NOTHING, calls: 100, rps: 240, error_share: 0.012, p95_ms: 85, in_bps: 900, out_bps: 24_000 }

test('on an edge stand rate, errors and p95, or what was chosen', () => {
  expect(labelOf(CALLS, 'rates', 1, 'en')).toBe('240/s · 1.2% · 85 ms')
  expect(labelOf(CALLS, 'bytes', 1, 'en')).toBe('↑ 900B/s · ↓ 24kB/s')
  expect(labelOf(CALLS, 'share', 0.25, 'en')).toBe('25%')
  expect(labelOf(CALLS, 'none', 1, 'en')).toBe('')
  expect(labelOf(NOTHING, 'rates', 1, 'en')).toBe('–')
})

test('marks are set for what is worth one', () => {
  const line = (more: Partial<Line>) => marksOf(t, { figures: CALLS, ...more } as Line, 'en')
  expect(line({})).toEqual([])
  expect(line({ protocols: ['grpc'], mutual: 100 })).toEqual(['map.protocol.grpc', 'map.mark.mutual'])
  expect(line({ protocols: ['tcp'], figures: NOTHING })).toEqual(['map.protocol.tcp'])
  expect(line({ mutual: 100 })).toEqual(['map.mark.mutual'])
  expect(line({ mutual: 40, limited: 5, shed: 2 })).toEqual([
    'map.mark.partlyMutual',
    'map.mark.shed 2%',
    'map.mark.limited 5%',
  ])
  expect(line({ figures: { ...CALLS, retries: 10 } })).toEqual([])
  expect(line({ figures: { ...CALLS, retries: 11 } })).toEqual(['map.mark.retries 11%'])
})

test('an edge of bytes alone is told from one that has calls, too', () => {
  expect(isOfBytes({ protocols: ['tcp', 'udp'] })).toBe(true)
  expect(isOfBytes({ protocols: ['http', 'tcp'] })).toBe(false)
  expect(isOfBytes({})).toBe(false)
})

test('what is open is said of a card, also where no call has ended', () => {
  const card = { id: 'shop/world', kind: 'service', health: 'idle', figures: NOTHING, folded: 0 } as const
  expect(cardMarks(t, card)).toEqual([])
  expect(cardMarks(t, { ...card, open_now: 3 })).toEqual(['map.mark.open'])
})

test('versions stand by their share, and one without a name is none', () => {
  const card = { id: 'a', kind: 'service', health: 'ok', figures: CALLS, folded: 0 } as const
  expect(versionsOf({ ...card, versions: { v1: 0.1, v2: 0.9 } }, 'en')).toBe('v2 90% · v1 10%')
  expect(versionsOf({ ...card, versions: { '': 1 } }, 'en')).toBe('')
})
