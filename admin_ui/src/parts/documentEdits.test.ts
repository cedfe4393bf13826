import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Path, pathOf, withValue, written } from './documentEdits'

const TEXT = `# who asks: team search
apiVersion: meshway/v1
kind: RateLimit # of calls
metadata: { name: search, namespace: shop }
spec:
  # both of them
  targets:
    - service: books # the shop's
    - { service: cart }
  token_bucket:
    rate: 50/s # what one core can do
    burst: 100
`
const COMMENTS = ['who asks', 'of calls', 'both of them', "the shop's", 'what one core']

/** Numbers from a seed (mulberry32), so that a failure can be had again. */
function drawing(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function scalarsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, one]) =>
    scalarsOf(one, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}

function withIn(value: unknown, path: Path, put: unknown): unknown {
  if (path.length === 0) return put
  const copy = structuredClone(value) as Record<string | number, unknown>
  const [key = '', ...rest] = path
  copy[key] = withIn(copy[key], rest, put)
  return copy
}

test('a field that is written changes itself alone, and no comment is lost', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const draw = drawing(seed)
  for (let turn = 0; turn < 60; turn += 1) {
    const before = parse(TEXT) as unknown
    const places = scalarsOf(before)
    const path = places[Math.floor(draw() * places.length)] as Path
    const put = [7, 'x: y # no comment', '', true, '1e3', 'a\nb'][Math.floor(draw() * 6)]
    const text = withValue(TEXT, path, put)
    expect(parse(text), `seed ${seed}, ${path.join('.')}`).toEqual(withIn(before, path, put))
    for (const comment of COMMENTS) expect(text, `seed ${seed}, ${path.join('.')}`).toContain(comment)
  }
})

test('what is taken away is gone, and its neighbours stay', () => {
  const text = withValue(TEXT, ['spec', 'token_bucket', 'burst'], undefined)
  expect(parse(text).spec.token_bucket).toEqual({ rate: '50/s' })
  expect(parse(withValue(TEXT, ['spec', 'targets', 0], undefined)).spec.targets).toEqual([{ service: 'cart' }])
})

test('a block that is named and empty takes fields', () => {
  expect(parse(withValue('kind: X\nspec:\n', ['spec', 'a', 'b'], 1))).toEqual({ kind: 'X', spec: { a: { b: 1 } } })
  expect(parse(withValue('spec: {}\n', ['spec', 'list', 0], {}))).toEqual({ spec: { list: [{}] } })
})

test('a text that says something already is left as it is', () => {
  expect(written(TEXT, parse(TEXT))).toBe(TEXT)
  const wanted = parse(TEXT)
  wanted.spec.token_bucket = { rate: '40/s', period: '1s' }
  const text = written(TEXT, wanted)
  expect(parse(text)).toEqual(wanted)
  expect(text).toContain('rate: 40/s # what one core can do')
})

test('paths are read as answers write them', () => {
  expect(pathOf('spec.rules[0].timeouts.deadline')).toEqual(['spec', 'rules', 0, 'timeouts', 'deadline'])
  expect(pathOf('metadata.labels["a.example/team"]')).toEqual(['metadata', 'labels', 'a.example/team'])
})
