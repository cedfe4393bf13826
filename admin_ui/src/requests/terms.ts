/** Of the filter's language, which the registry reads: fields, and how one more term is put to a text. */
export const FIELDS = [
  'service:',
  'route:',
  'status>=',
  'latency>',
  'flag:',
  'path:',
  'authority:',
  'method:',
  'principal:',
  'peer:',
  'instance:',
  'rule:',
  'reason:',
  'policy:',
  'trace:',
  'request:',
  'gateway:',
  'protocol:',
  'cache:',
  'listener:',
  'attempts>',
  'bytes_in>',
  'bytes_out>',
] as const

const PLAIN = /^[\w./:*@%+~-]+$/

/** A text's term; isOut: what does not have it. One that is there already changes nothing. */
export function withTerm(text: string, field: string, value: string | number, isOut = false): string {
  const word = String(value)
  const quoted = PLAIN.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`
  const term = `${isOut ? '!' : ''}${field}:${quoted}`
  const known = text.trim()
  return known.split(/\s+/).includes(term) ? known : `${known} ${term}`.trim()
}

/** What the last word of a text may go on as. */
export function completions(text: string): string[] {
  const word = /\S*$/.exec(text)?.[0] ?? ''
  const sign = /^[-!]/.exec(word)?.[0] ?? ''
  const begun = word.slice(sign.length)
  const before = text.slice(0, text.length - word.length)
  return FIELDS.filter((field) => field.startsWith(begun) && field !== begun).map((field) => before + sign + field)
}
