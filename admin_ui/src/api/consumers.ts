import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { type Document, put } from './documents'
import type { Span } from './insight'
import { keys } from './keys'

export type ConsumerSpec = Schemas['Consumer']
export type ConsumerKey = Schemas['ConsumerKey']
export type ConsumerUse = Schemas['ConsumerUse']
export type ConsumerDay = Schemas['ConsumerDay']
type Credential = NonNullable<ConsumerSpec['credentials']>[number]

const ASK_AGAIN_MS = 10_000
export const DAYS = 30
const SECRET_BYTES = 32
const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 8

/** What every Consumer called in the span, and when each credential was used last. */
export const consumerUsesQuery = ({ at, window_s }: Span) =>
  queryOptions({
    queryKey: [...keys.insight, 'consumers', at, window_s],
    refetchInterval: at === undefined ? ASK_AGAIN_MS : false,
    queryFn: async () =>
      (
        await take(
          api.GET('/v1/insight/consumers', {
            params: { query: { at: at === undefined ? undefined : String(at), window_s } },
          }),
        )
      ).items,
  })

/** By day in UTC, the last of them today. consumer: `namespace/name`. */
export const consumerDaysQuery = (consumer: string) =>
  queryOptions({
    queryKey: [...keys.insight, 'consumer-days', consumer],
    refetchInterval: ASK_AGAIN_MS,
    queryFn: async () =>
      (await take(api.GET('/v1/insight/consumers/days', { params: { query: { consumer, days: DAYS } } }))).items,
  })

export function specOf(document: Document): ConsumerSpec {
  return document.spec as ConsumerSpec
}

/** Its API keys, in the order they were given. */
export function keysOf(spec: ConsumerSpec): ConsumerKey[] {
  return (spec.credentials ?? []).flatMap((one) => (one.api_key ? [one.api_key] : []))
}

/** An API key of 32 random bytes, and what is kept of it: the registry never sees the key. expires: RFC 3339. */
export async function drawKey(expires?: string): Promise<{ key: string; entry: ConsumerKey }> {
  const id = idOf(ID_LENGTH)
  const secret = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(SECRET_BYTES))))
  const key = `mw_${id}_${secret.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
  const hash = `sha256:${[...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
  return { key, entry: { id, hash, created: instant(Date.now()), ...(expires ? { expires } : {}) } }
}

/** Each letter as likely as any other: bytes beyond the last whole round are drawn again. */
function idOf(length: number): string {
  const whole = 256 - (256 % ID_LETTERS.length)
  let id = ''
  while (id.length < length) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1)) as unknown as [number]
    if (byte < whole) id += ID_LETTERS[byte % ID_LETTERS.length]
  }
  return id
}

/** RFC 3339 to the second, as documents have it. */
export function instant(at_ms: number): string {
  return new Date(at_ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** With a key more. */
export function withKey(spec: ConsumerSpec, entry: ConsumerKey): ConsumerSpec {
  return { ...spec, credentials: [...(spec.credentials ?? []), { api_key: entry } as Credential] }
}

/** With an end to a key, unless it ends before. */
export function endingAt(spec: ConsumerSpec, id: string, end: string): ConsumerSpec {
  return {
    ...spec,
    credentials: (spec.credentials ?? []).map((one) =>
      one.api_key?.id === id && !(one.api_key.expires && Date.parse(one.api_key.expires) <= Date.parse(end))
        ? { ...one, api_key: { ...one.api_key, expires: end } }
        : one,
    ),
  }
}

export function withoutKey(spec: ConsumerSpec, id: string): ConsumerSpec {
  return { ...spec, credentials: (spec.credentials ?? []).filter((one) => one.api_key?.id !== id) }
}

/** Replaces it, where nobody has changed it meanwhile. Throws ApiProblem, 412 when somebody has. */
export function putConsumer(document: Document, spec: ConsumerSpec): Promise<Response> {
  const { metadata } = document
  return put(
    { ...document, metadata, spec: spec as Document['spec'] },
    metadata.revision ? `"${metadata.revision}"` : '',
  )
}
