import type { Openapi, Schema } from './openapi'

/** One field of a form, as the description of the API has it. */
export type Field = {
  name: string
  about: string
  kind: 'text' | 'number' | 'switch' | 'choice' | 'texts' | 'group' | 'groups' | 'other'
  choices: string[]
  schema: Schema | undefined
}

/** The fields of a kind's spec, in the order of the description. */
export function fieldsOfKind(openapi: Openapi | undefined, kind: string): Field[] {
  return fieldsOf(openapi, openapi?.components.schemas[kind])
}

export function fieldsOf(openapi: Openapi | undefined, schema: Schema | undefined): Field[] {
  const whole = seen(openapi, schema)
  return Object.entries(whole?.properties ?? {}).map(([name, one]) => fieldOf(openapi, name, one))
}

/** What a group of a list, or of a block, has in it. */
export function membersOf(openapi: Openapi | undefined, field: Field): Field[] {
  const schema = seen(openapi, field.schema)
  return fieldsOf(openapi, field.kind === 'groups' ? schema?.items : schema)
}

function fieldOf(openapi: Openapi | undefined, name: string, schema: Schema): Field {
  const whole = seen(openapi, schema)
  const about = (schema.description ?? whole?.description ?? '').split('\n')[0] ?? ''
  const field = (kind: Field['kind'], choices: string[] = []): Field => ({ name, about, kind, choices, schema })
  if (whole?.enum) return field('choice', whole.enum.map(String))
  if (whole?.properties) return field('group')
  if (whole?.items) {
    const item = seen(openapi, whole.items)
    if (item?.properties) return field('groups')
    return field(item?.type === 'string' || item?.enum ? 'texts' : 'other')
  }
  if (whole?.type === 'boolean') return field('switch')
  if (whole?.type === 'integer' || whole?.type === 'number') return field('number')
  // A size is a text or a number: `64KiB`.
  return field([whole?.type].flat().includes('string') ? 'text' : 'other')
}

/** Through references and `or null`. What may be of several forms is written in its widest: the block. */
function seen(openapi: Openapi | undefined, schema: Schema | undefined): Schema | undefined {
  if (schema?.$ref) return seen(openapi, openapi?.components.schemas[schema.$ref.split('/').at(-1) ?? ''])
  if (schema?.anyOf) {
    const forms = schema.anyOf.map((one) => seen(openapi, one)).filter((one) => one && one.type !== 'null')
    return forms.find((one) => one?.enum) ?? forms.find((one) => [one?.type].flat().includes('string')) ?? forms[0]
  }
  return schema
}

/** Whether a form's control can show this value: a block written where the form has a line is left to the text. */
export function fits(field: Field, value: unknown): boolean {
  if (value === undefined || value === null) return field.kind !== 'other'
  if (field.kind === 'group') return typeof value === 'object' && !Array.isArray(value)
  if (field.kind === 'groups')
    return Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null)
  if (field.kind === 'texts') return Array.isArray(value) && value.every((one) => typeof one !== 'object')
  return field.kind !== 'other' && typeof value !== 'object'
}
