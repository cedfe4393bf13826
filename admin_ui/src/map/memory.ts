import type { Figures, Topology } from '../api/insight'

/** For so long a card without a call stays, and from when on it is drawn faint. */
export const GONE_MS = 3_600_000
export const FAINT_MS = 600_000

/** When nodes and edges that were seen in this tab had calls last, ms since 1970. */
export type Memory = {
  nodes: Map<string, { at: number; node: Topology['nodes'][number] }>
  edges: Map<string, { at: number; edge: Topology['edges'][number] }>
}

export function newMemory(): Memory {
  return { nodes: new Map(), edges: new Map() }
}

export const NOTHING: Figures = {
  calls: 0,
  rps: 0,
  error_share: 0,
  rejected_share: 0,
  p50_ms: 0,
  p95_ms: 0,
  p99_ms: 0,
  mean_ms: 0,
  in_bps: 0,
  out_bps: 0,
  retries: 0,
}

/**
 * With what has fallen silent within the hour, so that a card does not go while somebody looks at it. silent: ids of
 * nodes, and `source→target` of edges, that are to be drawn faint.
 */
export function remembered(
  memory: Memory,
  topology: Topology,
  now: number,
): { topology: Topology; silent: ReadonlySet<string> } {
  for (const node of topology.nodes) memory.nodes.set(node.id, { at: now, node })
  for (const edge of topology.edges) memory.edges.set(`${edge.source}→${edge.target}`, { at: now, edge })
  const silent = new Set<string>()
  const [nodes, edges] = [[...topology.nodes], [...topology.edges]]
  for (const [id, { at, node }] of memory.nodes) {
    if (at === now) continue
    if (now - at > GONE_MS) memory.nodes.delete(id)
    else nodes.push({ ...node, figures: NOTHING, health: 'idle', reasons: [] })
    if (now - at > FAINT_MS) silent.add(id)
  }
  for (const [id, { at, edge }] of memory.edges) {
    if (at === now) continue
    if (now - at > GONE_MS) memory.edges.delete(id)
    else edges.push({ ...edge, figures: NOTHING, health: 'idle', reasons: [], limited: 0, shed: 0, mutual: 0 })
    if (now - at > FAINT_MS) silent.add(id)
  }
  return { topology: { ...topology, nodes, edges }, silent }
}
