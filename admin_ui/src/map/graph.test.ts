import { expect, test } from 'vitest'
import type { Figures, MapEdge, Topology } from '../api/insight'
import { NOTHING } from './figures'
import { type Filters, filtered, folded, idsOf, lineId, MORE, shapeOf, widthOf, withAlerts } from './graph'

const figures = (rps: number, error_share = 0): Figures => ({ ...NOTHING, calls: rps * 10, rps, error_share })

function topology(edges: [string, string, number, Partial<MapEdge>?][], alone: string[] = []): Topology {
  const ids = [...new Set([...edges.flatMap(([source, target]) => [source, target]), ...alone])]
  return {
    first: 0,
    end: 10,
    shape: '',
    totals: NOTHING,
    left_out: 0,
    nodes: ids.map((id) => ({ id, kind: 'service', health: id.includes('bad') ? 'bad' : 'ok', figures: NOTHING })),
    edges: edges.map(([source, target, rps, more]) => ({
      source,
      target,
      figures: figures(rps),
      health: 'ok',
      ...more,
    })),
  }
}

const SHOP = topology(
  [
    ['edge', 'shop/web', 10],
    ['shop/web', 'shop/cart', 5, { mutual: 50 }],
    ['shop/web', 'shop/bad', 2, { limited: 3 }],
    ['shop/cart', 'bank/pay', 0.1],
  ],
  ['shop/idle'],
)
const NONE: ReadonlySet<string> = new Set()
const names = (filters: Filters) => filtered(SHOP, filters).cards.map(({ id }) => id)

test('without a filter all is there, what nobody calls as well', () => {
  expect(names({})).toEqual(['edge', 'shop/web', 'shop/cart', 'shop/bad', 'bank/pay', 'shop/idle'])
  expect(names({ busy: true })).not.toContain('shop/idle')
  const open = SHOP.nodes.map((node) => (node.id === 'shop/idle' ? { ...node, open_now: 3 } : node))
  expect(filtered({ ...SHOP, nodes: open }, { busy: true }).cards.map(({ id }) => id)).toContain('shop/idle')
})

test('what fits a text stays with those it speaks with', () => {
  expect(names({ text: 'PAY' })).toEqual(['shop/cart', 'bank/pay'])
  expect(names({ text: 'idle' })).toEqual(['shop/idle'])
  expect(names({ labelled: new Set(['shop/bad']) })).toEqual(['shop/web', 'shop/bad'])
})

test('edges are chosen by their kind, their rate and their trouble', () => {
  const lines = (filters: Filters) => filtered(SHOP, filters).lines.map(({ id }) => id)
  expect(lines({ edges: 'outside' })).toEqual(['edge→shop/web'])
  expect(lines({ edges: 'mutual' })).toEqual(['shop/web→shop/cart'])
  expect(lines({ edges: 'unproved' })).not.toContain('shop/web→shop/cart')
  expect(lines({ edges: 'refused' })).toEqual(['shop/web→shop/bad'])
  expect(lines({ min_rps: 1 })).not.toContain('shop/cart→bank/pay')
  expect(lines({ unwell: true })).toEqual(['shop/web→shop/bad'])
})

test('beyond what can be drawn the least busy are one card, the unwell never among them', () => {
  const edges = Array.from({ length: 100 }, (_, at): [string, string, number] => ['edge', `shop/s${at}`, at + 1])
  const graph = folded(filtered(topology([...edges, ['edge', 'shop/bad', 0.01]]), {}), NONE, 20, 50)
  const ids = graph.cards.map(({ id }) => id)
  expect(ids).toHaveLength(20)
  expect(ids).toContain('shop/bad')
  expect(ids).toContain('shop/s99')
  expect(graph.folded).toBe(83)
  const rest = graph.lines.find(({ id }) => id === lineId('edge', MORE))
  expect(rest?.folded).toBe(83)
  const sum = graph.lines.reduce((all, { figures: { rps } }) => all + rps, 0)
  expect(sum).toBeCloseTo(5050.01)
})

test('what is drawn stays while others grow as busy, until one of them is unwell', () => {
  const mesh = (rate: (at: number) => number, bad: number) =>
    filtered(
      topology(Array.from({ length: 10 }, (_, at) => ['edge', at === bad ? `bad${at}` : `s${at}`, rate(at)])),
      {},
    )
  const first = folded(
    mesh((at) => at + 1, -1),
    NONE,
    5,
    50,
  )
  expect(first.cards.map(({ id }) => id)).toEqual([MORE, 'edge', 's7', 's8', 's9'])
  const turned = mesh((at) => 10 - at, -1)
  expect(shapeOf(folded(turned, idsOf(first), 5, 50))).toBe(shapeOf(first))
  const ill = folded(
    mesh((at) => 10 - at, 0),
    idsOf(first),
    5,
    50,
  )
  expect(ill.cards.map(({ id }) => id)).toContain('bad0')
})

test('of too many edges the busiest are drawn, and it is said how many are not', () => {
  const edges = Array.from({ length: 10 }, (_, at): [string, string, number] => ['edge', `shop/s${at}`, at + 1])
  const graph = folded(filtered(topology(edges), {}), NONE, 80, 4)
  expect(graph.lines.map(({ target }) => target)).toEqual(['shop/s6', 'shop/s7', 'shop/s8', 'shop/s9'])
  expect(graph.left_out).toBe(6)
})

test('the shape hangs on cards and edges, not on numbers', () => {
  const busier = topology(
    SHOP.edges.map(({ source, target }) => [source, target, 99]),
    ['shop/idle'],
  )
  expect(shapeOf(filtered(busier, {}))).toBe(shapeOf(filtered(SHOP, {})))
  expect(shapeOf(filtered(SHOP, { busy: true }))).not.toBe(shapeOf(filtered(SHOP, {})))
})

test('a line grows with the logarithm of its rate, and ends somewhere', () => {
  expect(widthOf(0)).toBe(1.5)
  expect(widthOf(1000)).toBeGreaterThan(widthOf(10))
  expect(widthOf(1e9)).toBe(8)
})

test('a card has the alerts that fire for it', () => {
  const graph = withAlerts(filtered(SHOP, {}), new Map([['shop/bad', ['errors', 'slow']]]))
  expect(graph.cards.filter(({ alerts }) => alerts).map(({ id, alerts }) => [id, alerts])).toEqual([
    ['shop/bad', ['errors', 'slow']],
  ])
})
