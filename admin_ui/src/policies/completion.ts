import type { Suggestion } from '../kit/YamlEditor'
import type { Openapi, Schema } from './openapi'

const TOP = ['apiVersion', 'kind', 'metadata', 'spec']
const METADATA = ['name', 'namespace', 'labels', 'annotations']

/** What may stand at the caret: names of fields by the keys above it (their indentation), values of an enumeration. */
export function completer(openapi: Openapi | undefined, kind: string) {
  return (text: string, caret: number): Suggestion[] => {
    const before = text.slice(0, caret).split('\n')
    const line = before.at(-1) ?? ''
    const value = /^\s*(?:- )*([\w.-]+):\s+(\S*)$/.exec(line)
    const path = pathAbove(before)
    if (value?.[1] !== undefined) {
      const schema = within(openapi, kind, [...path, value[1]])
      const typed = value[2] ?? ''
      return enumOf(openapi, schema)
        .filter((one) => one.startsWith(typed) && one !== typed)
        .map((one) => ({ text: one, typed, hint: '' }))
    }
    const typed = /^\s*(?:- )*([\w.-]*)$/.exec(line)?.[1]
    if (typed === undefined) return []
    return fieldsOf(openapi, kind, path)
      .filter((one) => one.text.startsWith(typed) && one.text !== typed)
      .map((one) => ({ ...one, text: `${one.text}: `, typed }))
  }
}

/** The keys that the last line stands below, outermost first. */
export function pathAbove(lines: readonly string[]): string[] {
  const path: string[] = []
  let { depth, dash } = placeOf(lines.at(-1) ?? '')
  for (let at = lines.length - 2; at >= 0; at -= 1) {
    const line = lines[at] ?? ''
    const key = /^\s*(?:- )*([\w.-]+):/.exec(line)?.[1]
    if (key === undefined) continue
    const place = placeOf(line)
    if (dash === null && place.depth === depth) {
      dash = place.dash // the item of a list that the fields between belong to
    } else if ((dash === null ? place.depth < depth : place.depth <= dash) && /:\s*$/.test(line)) {
      path.unshift(key)
      depth = place.depth
      dash = place.dash
    }
  }
  return path
}

/** Where a line's text begins, and its dash, if it has one: a list may stand at the indentation of its key. */
function placeOf(line: string): { depth: number; dash: number | null } {
  const [whole = '', indent = '', dashes = ''] = /^(\s*)((?:- )*)/.exec(line) ?? []
  return { depth: whole.length, dash: dashes ? indent.length : null }
}

function fieldsOf(
  openapi: Openapi | undefined,
  kind: string,
  path: readonly string[],
): { text: string; hint: string }[] {
  if (path.length === 0) return TOP.map((text) => ({ text, hint: '' }))
  if (path[0] === 'metadata') return path.length === 1 ? METADATA.map((text) => ({ text, hint: '' })) : []
  const schema = within(openapi, kind, path)
  return Object.entries(schema?.properties ?? {}).map(([text, one]) => ({
    text,
    hint: (resolved(openapi, one)?.description ?? one.description ?? '').split('\n')[0] ?? '',
  }))
}

/** The schema at a path of keys below the document; lists are looked through. */
function within(openapi: Openapi | undefined, kind: string, path: readonly string[]): Schema | undefined {
  if (path[0] !== 'spec') return undefined
  let schema = resolved(openapi, openapi?.components.schemas[kind])
  for (const key of path.slice(1)) {
    const next: Schema | undefined =
      schema?.properties?.[key] ??
      (typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined)
    schema = resolved(openapi, next)
  }
  return schema
}

/** Through references, lists and `or null`, to what has fields. */
function resolved(openapi: Openapi | undefined, schema: Schema | undefined): Schema | undefined {
  if (schema === undefined) return undefined
  if (schema.$ref) return resolved(openapi, openapi?.components.schemas[schema.$ref.split('/').at(-1) ?? ''])
  if (schema.items) return resolved(openapi, schema.items)
  if (schema.anyOf) {
    const some = schema.anyOf.map((one) => resolved(openapi, one))
    return some.find((one) => one?.properties) ?? some.find((one) => one?.enum) ?? some[0]
  }
  return schema
}

function enumOf(openapi: Openapi | undefined, schema: Schema | undefined): string[] {
  const found = resolved(openapi, schema)
  if (found?.type === 'boolean') return ['true', 'false']
  return (found?.enum ?? []).map(String)
}
