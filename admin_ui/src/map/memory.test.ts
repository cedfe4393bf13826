import { expect, test } from 'vitest'
import type { Topology } from '../api/insight'
import { NOTHING } from './figures'
import { FAINT_MS, GONE_MS, newMemory, remembered } from './memory'

const of = (...ids: string[]): Topology => ({
  first: 0,
  end: 1,
  shape: '',
  totals: NOTHING,
  nodes: ids.map((id) => ({ id, kind: 'service', health: 'ok', figures: NOTHING })),
  edges: ids.map((id) => ({ source: 'edge', target: id, figures: { ...NOTHING, calls: 5 }, health: 'ok' })),
})

test('what falls silent stays, is drawn faint after ten minutes and goes after an hour', () => {
  const memory = newMemory()
  remembered(memory, of('a', 'b'), 0)
  const soon = remembered(memory, of('a'), FAINT_MS - 1)
  expect(soon.topology.nodes.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(soon.topology.edges[1]).toMatchObject({ target: 'b', health: 'idle', figures: { calls: 0 } })
  expect(soon.silent.size).toBe(0)
  expect([...remembered(memory, of('a'), FAINT_MS + 1).silent]).toEqual(['b', 'edge→b'])
  expect(remembered(memory, of('a'), GONE_MS + 1).topology.nodes.map(({ id }) => id)).toEqual(['a'])
})

test('what is back is as it was', () => {
  const memory = newMemory()
  remembered(memory, of('a', 'b'), 0)
  const back = remembered(memory, of('a', 'b'), FAINT_MS * 2)
  expect(back.silent.size).toBe(0)
  expect(back.topology.edges).toHaveLength(2)
})
