import type { MapNode, Spans, Topology } from '../api/insight'
import { NOTHING } from './figures'
import { lineId } from './graph'

export type Result = 'added' | 'gone' | 'changed'
const SLOWER = 1.5

/** How an edge of two spans differs: `changed` where its errors do for certain, or its p95 by half. null: it does not. */
export function resultOf({ result, difference }: Spans['edges'][number]): Result | null {
  if (result !== 'stayed') return result
  if (difference?.is_certain) return 'changed'
  const ratio = difference?.p95_ratio ?? 1
  return ratio >= SLOWER || ratio <= 1 / SLOWER ? 'changed' : null
}

/** With edges that were there only before, and what became of each edge. */
export function compared(topology: Topology, spans: Spans): { topology: Topology; results: Map<string, Result> } {
  const results = new Map<string, Result>()
  const nodes = new Map(topology.nodes.map((node) => [node.id, node]))
  const edges = [...topology.edges]
  const known = new Set(edges.map(({ source, target }) => lineId(source, target)))
  for (const edge of spans.edges) {
    const { source, target } = edge
    const id = lineId(source, target)
    const result = resultOf(edge)
    if (result) results.set(id, result)
    if (result !== 'gone' || known.has(id)) continue
    edges.push({ source, target, figures: edge.before ?? NOTHING, health: 'idle' })
    for (const name of [source, target]) if (!nodes.has(name)) nodes.set(name, absent(name))
  }
  return { topology: { ...topology, nodes: [...nodes.values()], edges }, results }
}

function absent(id: string): MapNode {
  return { id, kind: id.includes('/') ? 'service' : 'caller', health: 'unknown', figures: NOTHING }
}
