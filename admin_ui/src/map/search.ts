/** What the map looks at, as it stands in the URL: a link shows another person the same. */

export const LEVELS = ['namespaces', 'services', 'focus', 'overview'] as const
export const LABELS = ['rates', 'bytes', 'share', 'none'] as const
export const EDGE_KINDS = ['outside', 'inside', 'mutual', 'unproved', 'refused'] as const
export type Level = (typeof LEVELS)[number]
export type LabelKind = (typeof LABELS)[number]
export type EdgeKind = (typeof EDGE_KINDS)[number]

/**
 * level: absent: what fits. focus: `namespace/name`, hops around it. text, label (`name=value`), edges, min_rps, unwell,
 * busy (without what nobody calls): filters. names: what stands on edges. table: without the drawing. before: the end of
 * the moment that is compared with, seconds since 1970. pick: a node's id or an edge's.
 */
export type MapSearch = {
  level?: Level
  focus?: string
  hops?: number
  text?: string
  label?: string
  edges?: EdgeKind
  min_rps?: number
  unwell?: true
  busy?: true
  names?: LabelKind
  table?: true
  before?: number
  pick?: string
}

const MOST_HOPS = 3

export function mapSearch(search: Record<string, unknown>): MapSearch {
  const found: MapSearch = {}
  for (const key of ['focus', 'text', 'label', 'pick'] as const) {
    const text = search[key]
    if (typeof text === 'string' && text) found[key] = text
  }
  for (const key of ['unwell', 'busy', 'table'] as const) if (search[key] === true) found[key] = true
  for (const key of ['min_rps', 'before'] as const) {
    const value = search[key]
    if (typeof value === 'number' && value > 0) found[key] = value
  }
  const { hops } = search
  if (typeof hops === 'number' && hops >= 1 && hops <= MOST_HOPS) found.hops = Math.floor(hops)
  found.level = LEVELS.find((one) => one === search.level)
  found.names = LABELS.find((one) => one === search.names)
  found.edges = EDGE_KINDS.find((one) => one === search.edges)
  return found
}
