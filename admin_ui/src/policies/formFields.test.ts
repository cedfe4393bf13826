import { expect, test } from 'vitest'
import { fieldsOfKind, fits, membersOf } from './formFields'

const openapi = {
  components: {
    schemas: {
      Limit: {
        properties: {
          mode: { enum: ['on', 'off'] },
          bucket: { anyOf: [{ $ref: '#/components/schemas/Bucket' }, { type: 'null' }] },
          targets: { items: { $ref: '#/components/schemas/Target' } },
          hosts: { items: { type: 'string' } },
          code: { type: 'integer', description: 'The answer.\nMore of it.' },
          labels: { additionalProperties: { type: 'string' } },
          dry: { type: 'boolean' },
          body: { type: ['string', 'integer'] },
          most: { anyOf: [{ type: ['string', 'integer'] }, { type: 'null' }] },
        },
      },
      Bucket: { properties: { rate: { type: 'string' } } },
      Target: { properties: { service: { anyOf: [{ type: 'string' }, { type: 'null' }] } } },
    },
  },
}

test('each field gets the control that its schema asks for', () => {
  const fields = fieldsOfKind(openapi as never, 'Limit')
  expect(fields.map((one) => [one.name, one.kind])).toEqual([
    ['mode', 'choice'],
    ['bucket', 'group'],
    ['targets', 'groups'],
    ['hosts', 'texts'],
    ['code', 'number'],
    ['labels', 'other'],
    ['dry', 'switch'],
    ['body', 'text'],
    ['most', 'text'],
  ])
  expect(fields[4]?.about).toBe('The answer.')
  const [, bucket, targets] = fields
  expect(bucket && membersOf(openapi as never, bucket).map((one) => one.name)).toEqual(['rate'])
  expect(targets && membersOf(openapi as never, targets).map((one) => one.kind)).toEqual(['text'])
})

test('what a control cannot show is left to the text', () => {
  const fields = fieldsOfKind(openapi as never, 'Limit')
  const of = (name: string) => fields.find((one) => one.name === name) as (typeof fields)[number]
  expect(fits(of('code'), { a: 1 })).toBe(false)
  expect(fits(of('bucket'), 'x')).toBe(false)
  expect(fits(of('bucket'), { rate: '1/s' })).toBe(true)
  expect(fits(of('targets'), ['x'])).toBe(false)
  expect(fits(of('hosts'), ['x'])).toBe(true)
  expect(fits(of('labels'), undefined)).toBe(false)
})
