import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Kind, PLURALS } from '../api/documents'
import { blank, faultOf, yamlOf } from './documentText'

test('a document as text loses no field, and leaves out what the registry adds', () => {
  const document = {
    apiVersion: 'meshway/v1',
    kind: 'Route',
    metadata: { name: 'books', namespace: 'shop', labels: { team: 'a' }, revision: 7, updated_by: 'ann' },
    spec: {
      hosts: ['a.example'],
      rules: [{ destinations: [{ service: 'books', weight: 90 }], timeouts: { deadline: '5s' } }],
    },
  }
  const again = parse(yamlOf(document as never))
  expect(again.spec).toEqual(document.spec)
  expect(again.metadata).toEqual({ name: 'books', namespace: 'shop', labels: { team: 'a' } })
})

test('what a new document begins with can be read, for every kind', () => {
  for (const kind of Object.keys(PLURALS) as Kind[]) {
    expect(faultOf(blank(kind, 'shop'))).toBeNull()
    expect(parse(blank(kind, 'shop'))).toMatchObject({ kind, metadata: { namespace: 'shop' } })
  }
})

test('a fault is told with its line', () => {
  expect(faultOf('kind: Route\nspec: {rules: [}\n')).toMatchObject({ line: 2 })
})
