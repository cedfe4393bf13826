import { expect, test } from 'vitest'
import type { Spans, Topology } from '../api/insight'
import { compared, resultOf } from './compare'
import { NOTHING } from './figures'

type Change = Spans['edges'][number]
const SURE = { error_share: 0.1, low: 0.05, high: 0.15, is_certain: true, p95_ratio: 1 }
const change = (target: string, result: Change['result'], difference: Change['difference'] = null): Change => ({
  source: 'edge',
  target,
  result,
  before: result === 'added' ? null : { ...NOTHING, calls: 7 },
  now: result === 'gone' ? null : NOTHING,
  difference,
})

test('an edge has changed where its errors did for certain, or its p95 by half', () => {
  expect(resultOf(change('a', 'stayed', SURE))).toBe('changed')
  expect(resultOf(change('a', 'stayed', { ...SURE, is_certain: false }))).toBeNull()
  expect(resultOf(change('a', 'stayed', { ...SURE, is_certain: false, p95_ratio: 1.6 }))).toBe('changed')
  expect(resultOf(change('a', 'stayed', { ...SURE, is_certain: false, p95_ratio: 0.5 }))).toBe('changed')
  expect(resultOf(change('a', 'added'))).toBe('added')
})

test('what is gone is drawn all the same, with its ends and the numbers of before', () => {
  const now: Topology = {
    first: 0,
    end: 1,
    shape: '',
    totals: NOTHING,
    nodes: [{ id: 'edge', kind: 'caller', health: 'unknown', figures: NOTHING }],
    edges: [],
  }
  const spans = { edges: [change('shop/old', 'gone')] } as Spans
  const { topology, results } = compared(now, spans)
  expect(topology.nodes.map(({ id }) => id)).toEqual(['edge', 'shop/old'])
  expect(topology.edges).toMatchObject([{ target: 'shop/old', figures: { calls: 7 } }])
  expect([...results]).toEqual([['edge→shop/old', 'gone']])
})
