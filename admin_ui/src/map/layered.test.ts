import { expect, test } from 'vitest'
import { CELL, layered, type Place } from './layered'

const cells = (...ids: string[]) => ids.map((id) => ({ id, group: id.split('/')[0] ?? '' }))
const links = (...pairs: string[]) =>
  pairs.map((pair) => {
    const [source = '', target = ''] = pair.split('>')
    return { source, target }
  })
const column = (places: Place[], id: string) =>
  (places.find((one) => one.id === id)?.x ?? Number.NaN) / (CELL.width + CELL.gapX)

test('each stands right of all who call it, by the longest way', () => {
  const places = layered(cells('a', 'b', 'c', 'd'), links('a>b', 'b>c', 'a>c', 'c>d'))
  expect(['a', 'b', 'c', 'd'].map((id) => column(places, id))).toEqual([0, 1, 2, 3])
})

test('a circle is no endless way', () => {
  const places = layered(cells('a', 'b', 'c'), links('a>b', 'b>c', 'c>a', 'b>b'))
  expect(new Set(places.map(({ x }) => x)).size).toBe(3)
})

test('those of a namespace stand together, and none upon another', () => {
  const ids = ['y/1', 'x/1', 'y/2', 'x/2', 'z/1', 'x/3']
  const places = layered(cells(...ids), links('x/1>z/1', 'y/1>z/1'))
  const order = places.filter(({ x }) => x === 0).sort((a, b) => a.y - b.y)
  const groups = order.map(({ id }) => id.split('/')[0])
  expect(groups.filter((one, at) => one !== groups[at - 1])).toHaveLength(new Set(groups).size)
  expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(ids.length)
})

test('2,000 services and 6,000 edges are laid out, none lost', () => {
  let seed = 7
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const many = cells(...Array.from({ length: 2_000 }, (_, at) => `n${at % 40}/s${at}`))
  const pairs = Array.from({ length: 6_000 }, () => {
    const from = Math.floor(random() * 1_990)
    const to = from + 1 + Math.floor(random() * (1_999 - from))
    return { source: many[from]?.id ?? '', target: many[to]?.id ?? '' }
  })
  const places = layered(many, pairs)
  expect(new Set(places.map(({ id }) => id)).size).toBe(2_000)
  expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(2_000)
})
