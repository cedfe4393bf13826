import type { MapEdge, MapNode, Topology } from '../api/insight'
import { NOTHING } from './figures'
import { lineId } from './graph'

/** For so long a card without a call stays, and from when on it is drawn faint. */
export const GONE_MS = 3_600_000
export const FAINT_MS = 600_000

/** What was there at `at` (ms since 1970), and what has gone since, with when it was there last. By id. */
export type Memory = {
  at: number
  nodes: Map<string, MapNode>
  edges: Map<string, MapEdge>
  goneNodes: Map<string, { at: number; node: MapNode }>
  goneEdges: Map<string, { at: number; edge: MapEdge }>
}

export function newMemory(): Memory {
  return { at: 0, nodes: new Map(), edges: new Map(), goneNodes: new Map(), goneEdges: new Map() }
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
  const known = new Map(topology.nodes.map((node) => [node.id, node]))
  const calls = new Map(topology.edges.map((edge) => [lineId(edge.source, edge.target), edge]))
  for (const [id, node] of memory.nodes) if (!known.has(id)) memory.goneNodes.set(id, { at: memory.at, node })
  for (const [id, edge] of memory.edges) if (!calls.has(id)) memory.goneEdges.set(id, { at: memory.at, edge })
  Object.assign(memory, { at: now, nodes: known, edges: calls })
  const silent = new Set<string>()
  const isThere = (id: string, at: number, gone: Map<string, unknown>, back: boolean) => {
    if (back || now - at > GONE_MS) gone.delete(id)
    else if (now - at > FAINT_MS) silent.add(id)
    return gone.has(id)
  }
  const nodes = [...memory.goneNodes].flatMap(([id, { at, node }]): MapNode[] =>
    isThere(id, at, memory.goneNodes, known.has(id)) ? [{ ...node, figures: NOTHING, health: 'idle', causes: [] }] : [],
  )
  const edges = [...memory.goneEdges].flatMap(([id, { at, edge }]): MapEdge[] =>
    isThere(id, at, memory.goneEdges, calls.has(id))
      ? [{ ...edge, figures: NOTHING, health: 'idle', causes: [], limited: 0, shed: 0, mutual: 0 }]
      : [],
  )
  if (nodes.length === 0 && edges.length === 0) return { topology, silent }
  return {
    topology: { ...topology, nodes: [...topology.nodes, ...nodes], edges: [...topology.edges, ...edges] },
    silent,
  }
}
