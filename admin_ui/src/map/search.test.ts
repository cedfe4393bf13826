import { expect, test } from 'vitest'
import { mapSearch } from './search'

test('what the address says is taken where it means something', () => {
  const said = { level: 'focus', focus: 'shop/cart', hops: 2, text: 'x', unwell: true, min_rps: 0.5, names: 'bytes' }
  expect(mapSearch(said)).toEqual({ ...said, edges: undefined })
})

test('nonsense is left alone', () => {
  const found = mapSearch({ level: 'world', hops: 9, text: 7, unwell: 'yes', min_rps: -1, edges: 'tcp', before: 'x' })
  expect(Object.values(found).filter((one) => one !== undefined)).toEqual([])
})
