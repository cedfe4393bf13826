import { expect, test } from 'vitest'
import { completer, pathAbove } from './completion'
import type { Openapi } from './openapi'

const OPENAPI: Openapi = {
  components: {
    schemas: {
      Route: {
        properties: {
          hosts: { type: 'array', items: { type: 'string' } },
          rules: { type: 'array', items: { $ref: '#/components/schemas/Rule' } },
          order: { anyOf: [{ enum: ['listed', 'specificity'] }, { type: 'null' }] },
        },
      },
      Rule: {
        properties: {
          retry: { anyOf: [{ $ref: '#/components/schemas/Retry' }, { type: 'null' }] },
          name: { type: 'string' },
        },
      },
      Retry: { properties: { max_retries: { type: 'integer' }, non_idempotent: { type: 'boolean' } } },
    },
  },
}

function offered(text: string): string[] {
  return completer(OPENAPI, 'Route')(text, text.length).map((one) => one.text)
}

test('fields of the place where the caret stands', () => {
  expect(offered('kind: Route\nspec:\n  ')).toEqual(['hosts: ', 'rules: ', 'order: '])
  expect(offered('spec:\n  rules:\n    - name: a\n      re')).toEqual(['retry: '])
  expect(offered('spec:\n  rules:\n    - retry:\n        ma')).toEqual(['max_retries: '])
})

test('values of an enumeration, and of yes or no', () => {
  expect(offered('spec:\n  order: l')).toEqual(['listed'])
  expect(offered('spec:\n  rules:\n  - retry:\n      non_idempotent: ')).toEqual(['true', 'false'])
})

test('a list at the indentation of its key is below it', () => {
  expect(pathAbove('spec:\n  rules:\n  - retry:\n      '.split('\n'))).toEqual(['spec', 'rules', 'retry'])
  expect(offered('spec:\n  rules:\n  - na')).toEqual(['name: '])
})

test('nothing is offered where nothing is known', () => {
  expect(offered('spec:\n  unknown:\n    ')).toEqual([])
})
