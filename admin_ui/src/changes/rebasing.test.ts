import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { rebased } from './rebasing'

const MINE = 'kind: RateLimit\nspec:\n  rate: 40/s # of noon\n  burst: 10\n'
const moved = {
  kind: 'RateLimit',
  namespace: 'shop',
  name: 'search',
  base_revision: 3,
  revision: 5,
  merged: { kind: 'RateLimit', spec: { rate: '60/s', burst: 20 } },
  conflicts: [{ path: 'spec.rate', base: '50/s', mine: '40/s', theirs: '60/s' }],
}

test('what others changed comes in, and of a conflict what was chosen', () => {
  const theirs = rebased(MINE, moved, () => false)
  expect(parse(theirs ?? '')).toEqual(moved.merged)
  expect(theirs).toContain('# of noon')
  const mine = rebased(MINE, moved, (path) => path === 'spec.rate')
  expect(parse(mine ?? '').spec).toEqual({ rate: '40/s', burst: 20 })
})

test('a document that one side deleted is theirs or mine as a whole', () => {
  const gone = { ...moved, merged: null, conflicts: [{ path: '', base: {}, mine: {}, theirs: null }] }
  expect(rebased(MINE, gone, () => false)).toBeNull()
  expect(rebased(MINE, gone, () => true)).toBe(MINE)
  const kept = { ...moved, conflicts: [{ path: '', base: {}, mine: null, theirs: {} }] }
  expect(rebased(null, kept, () => true)).toBeNull()
  expect(parse(rebased(null, kept, () => false) ?? '')).toEqual(moved.merged)
})
