import type { MapEdge, MapNode, Topology } from '../api/insight'
import { sum } from './figures'
import type { EdgeKind } from './search'

/** What React Flow draws without a halt: the least busy beyond are folded into one card. */
export const MOST_CARDS = 80
export const MOST_EDGES = 200
export const MORE = '+more'
/** Edges to the card of the rest: more of them would hide the others. */
export const MOST_TO_MORE = 24
const OUTSIDE = new Set(['edge', 'anonymous', 'other', ''])

export type Filters = {
  text?: string
  /** Of services that have the label; undefined: no label is asked for. */
  labelled?: ReadonlySet<string>
  edges?: EdgeKind
  min_rps?: number
  unwell?: boolean
  busy?: boolean
}

/** id: `source→target`. folded: how many edges it stands for. */
export type Line = MapEdge & { id: string; folded: number }
/** folded: how many nodes the card stands for, 0: it is one. alerts: names of those that fire for it now. */
export type Card = MapNode & { folded: number; alerts?: readonly string[] }
/** left_out: edges that are not drawn, the least busy. */
export type Graph = { cards: Card[]; lines: Line[]; folded: number; left_out: number }

export function lineId(source: string, target: string): string {
  return `${source}→${target}`
}

/** What fits the filters: nodes that do, with those they speak with, so that no call stands without its ends. */
export function filtered(topology: Topology, filters: Filters): Graph {
  const nodes = new Map(topology.nodes.map((node) => [node.id, node]))
  const isUnwell = (health: string | undefined) => health === 'bad' || health === 'warn'
  const text = filters.text?.toLowerCase() ?? ''
  const isWanted = (id: string) =>
    (!text || id.toLowerCase().includes(text)) && (filters.labelled === undefined || filters.labelled.has(id))
  const isNarrowed = text !== '' || filters.labelled !== undefined
  const lines = topology.edges
    .filter((edge) => !isNarrowed || isWanted(edge.source) || isWanted(edge.target))
    .filter((edge) => edge.figures.rps >= (filters.min_rps ?? 0) && isOfKind(edge, filters.edges))
    .filter(
      (edge) =>
        !filters.unwell ||
        isUnwell(edge.health) ||
        isUnwell(nodes.get(edge.source)?.health) ||
        isUnwell(nodes.get(edge.target)?.health),
    )
    .map((edge) => ({ ...edge, id: lineId(edge.source, edge.target), folded: 0 }))
  const ends = new Set(lines.flatMap(({ source, target }) => [source, target]))
  const hidesIdle = filters.edges !== undefined || (filters.min_rps ?? 0) > 0
  const isShownIdle = ({ open_now = 0 }: MapNode) => !hidesIdle && (!filters.busy || open_now > 0)
  const cards = topology.nodes
    .filter(
      (node) =>
        ends.has(node.id) || (isShownIdle(node) && isWanted(node.id) && (!filters.unwell || isUnwell(node.health))),
    )
    .map((node) => ({ ...node, folded: 0 }))
  return { cards, lines, folded: 0, left_out: topology.left_out ?? 0 }
}

function isOfKind(edge: MapEdge, kind: EdgeKind | undefined): boolean {
  const { calls } = edge.figures
  if (kind === 'outside') return OUTSIDE.has(edge.source)
  if (kind === 'inside') return !OUTSIDE.has(edge.source)
  if (kind === 'mutual') return (edge.mutual ?? 0) > 0
  if (kind === 'unproved') return (edge.mutual ?? 0) < calls
  if (kind === 'refused') return (edge.limited ?? 0) + (edge.shed ?? 0) > 0
  return true
}

/** alerts: names of those that fire, by `namespace/name` of a service. */
export function withAlerts(graph: Graph, alerts: ReadonlyMap<string, readonly string[]>): Graph {
  if (alerts.size === 0) return graph
  return { ...graph, cards: graph.cards.map((card) => ({ ...card, alerts: alerts.get(card.id) })) }
}

/**
 * So many cards and edges that they can be drawn: what is unwell and what is busy stays, the rest is one card. before:
 * ids of what was drawn until now, which goes before what is as well: else the picture would change with each number.
 */
export function folded(graph: Graph, before: ReadonlySet<string>, cards = MOST_CARDS, edges = MOST_EDGES): Graph {
  if (graph.cards.length <= cards && graph.lines.length <= edges) return graph
  const busy = new Map<string, number>()
  for (const { source, target, figures } of graph.lines) {
    for (const id of [source, target]) busy.set(id, (busy.get(id) ?? 0) + figures.rps)
  }
  const stays = ({ id }: { id: string }) => Number(before.has(id))
  const rank = (card: Card) => (card.health === 'bad' ? 2 : card.health === 'warn' ? 1 : 0)
  const ranked = [...graph.cards].sort(
    (a, b) =>
      rank(b) - rank(a) ||
      stays(b) - stays(a) ||
      (busy.get(b.id) ?? 0) - (busy.get(a.id) ?? 0) ||
      (a.id < b.id ? -1 : 1),
  )
  const isWhole = ranked.length <= cards
  const kept = isWhole ? ranked : ranked.slice(0, cards - 1)
  const rest = ranked.slice(kept.length)
  const names = new Set(kept.map(({ id }) => id))
  const name = (id: string) => (names.has(id) ? id : MORE)
  const whole: Line[] = []
  const parts = new Map<string, Line[]>()
  for (const line of graph.lines) {
    const [source, target] = [name(line.source), name(line.target)]
    if (source === line.source && target === line.target) whole.push(line)
    else if (source !== target) {
      const id = lineId(source, target)
      const known = parts.get(id)
      if (known) known.push(line)
      else parts.set(id, [line])
    }
  }
  const drawn = [...whole, ...[...parts.values()].map((lines) => together(lines, name))].sort(
    (a, b) => worse(b) - worse(a) || stays(b) - stays(a) || b.figures.rps - a.figures.rps,
  )
  const toMore = drawn.filter((line) => line.folded > 0).slice(0, MOST_TO_MORE)
  const shown = [...drawn.filter((line) => line.folded === 0).slice(0, edges - toMore.length), ...toMore]
  shown.sort((a, b) => (a.id < b.id ? -1 : 1))
  const all = [...kept, ...(rest.length > 0 ? [more(rest)] : [])].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { cards: all, lines: shown, folded: rest.length, left_out: graph.left_out + drawn.length - shown.length }
}

const SEVERITY = { unknown: 0, idle: 0, ok: 0, warn: 1, bad: 2 } as const
const worse = ({ health }: { health: keyof typeof SEVERITY }) => SEVERITY[health]

function more(cards: readonly Card[]): Card {
  const worst = [...cards].sort((a, b) => worse(b) - worse(a))[0] as Card
  return {
    id: MORE,
    kind: 'namespace',
    health: worst.health,
    figures: sum(cards.map(({ figures }) => figures)),
    folded: cards.length,
  }
}

/** Edges that have become one. */
function together(lines: readonly Line[], name: (id: string) => string): Line {
  const worst = lines.reduce((a, b) => (worse(b) > worse(a) ? b : a))
  const [source, target] = [name(worst.source), name(worst.target)]
  const all = (of: 'limited' | 'shed' | 'mutual') => lines.reduce((total, line) => total + (line[of] ?? 0), 0)
  return {
    id: lineId(source, target),
    source,
    target,
    health: worst.health,
    causes: [],
    figures: sum(lines.map(({ figures }) => figures)),
    limited: all('limited'),
    shed: all('shed'),
    mutual: all('mutual'),
    protocols: [...new Set(lines.flatMap(({ protocols = [] }) => protocols))],
    folded: lines.length,
  }
}

/** The same as long as cards and edges are: where cards lie hangs on nothing else. */
export function shapeOf({ cards, lines }: Graph): string {
  return `${cards.map(({ id }) => id).join('|')}\n${lines.map(({ id }) => id).join('|')}`
}

/** All that is drawn, by id. */
export function idsOf({ cards, lines }: Graph): ReadonlySet<string> {
  return new Set([...cards.map(({ id }) => id), ...lines.map(({ id }) => id)])
}

/** Width of an edge's line, by the logarithm of its rate. */
export function widthOf(rps: number): number {
  return Math.min(8, 1.5 + Math.log10(1 + Math.max(0, rps)) * 1.6)
}
