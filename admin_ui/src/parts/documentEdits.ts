import { isScalar, parseDocument } from 'yaml'

export type Path = (string | number)[]
type Yaml = ReturnType<typeof parseDocument>

/** The text with one value written, or taken away (undefined): all else stays as it is, comments too. */
export function withValue(text: string, path: Path, value: unknown): string {
  const document = parseDocument(text)
  if (value === undefined) document.deleteIn(path)
  else setValue(document, path, value)
  return document.toString({ lineWidth: 0 })
}

/** The text saying `wanted`: what says it already is left as it is. */
export function written(text: string, wanted: Record<string, unknown>): string {
  const document = parseDocument(text)
  put(document, [], document.toJS(), wanted)
  return document.toString({ lineWidth: 0 })
}

function put(document: Yaml, path: Path, now: unknown, wanted: unknown) {
  if (isObject(now) && isObject(wanted)) {
    for (const key of Object.keys(now)) if (!(key in wanted)) document.deleteIn([...path, key])
    for (const [key, value] of Object.entries(wanted)) {
      if (key in now) put(document, [...path, key], now[key], value)
      else document.setIn([...path, key], document.createNode(value))
    }
  } else if (Array.isArray(now) && Array.isArray(wanted) && now.length === wanted.length) {
    wanted.forEach((value, at) => {
      put(document, [...path, at], now[at], value)
    })
  } else if (JSON.stringify(now) !== JSON.stringify(wanted)) {
    setValue(document, path, wanted)
  }
}

/** A scalar keeps its node, and so the comment behind it. */
function setValue(document: Yaml, path: Path, value: unknown) {
  for (let depth = 1; depth < path.length; depth += 1) {
    const above = path.slice(0, depth)
    // A block that is named and empty is null in YAML, in which nothing can be put.
    if (document.getIn(above) === null || document.getIn(above) === undefined) {
      document.setIn(above, document.createNode(typeof path[depth] === 'number' ? [] : {}))
    }
  }
  const node = document.getIn(path, true)
  if (isScalar(node) && !isObject(value) && !Array.isArray(value)) {
    if (node.value === '') delete node.type // its quotes were for want of a value
    node.value = value
  } else document.setIn(path, document.createNode(value))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `spec.rules[0].timeouts`, as differences write it; `["a.b"]` for names that have dots. */
export function pathOf(path: string): Path {
  const found: Path = []
  for (const [, name, at, quoted] of path.matchAll(/([^.[\]]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]/g)) {
    if (name !== undefined) found.push(name)
    else if (at !== undefined) found.push(Number(at))
    else if (quoted !== undefined) found.push(JSON.parse(`"${quoted}"`) as string)
  }
  return found
}
