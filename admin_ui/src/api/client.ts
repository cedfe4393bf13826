import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from './schema'

export type Schemas = components['schemas']

/** What an answer says of the one field that is wrong. */
export type FieldFault = { document?: string | null; path: string; code: string; message: string; line?: number | null }

/** A refusal as RFC 9457 tells it, or that nobody answered (`unreachable`, status 0). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail = '',
    readonly mend = '',
    readonly requestId = '',
    readonly errors: FieldFault[] = [],
  ) {
    super(detail || title)
  }
}

let csrf = ''
let onSignedOut: () => void = () => {}
let onConfirmNeeded: () => void = () => {}

/** From `/v1/session`: sent with every write. */
export function setCsrf(token: string) {
  csrf = token
}

/** Called when an answer says that the session is over. */
export function whenSignedOut(listener: () => void) {
  onSignedOut = listener
}

/** Called when an answer asks again who one is: the session was left open for long. */
export function whenConfirmNeeded(listener: () => void) {
  onConfirmNeeded = listener
}

const session: Middleware = {
  onRequest({ request }) {
    if (csrf && request.method !== 'GET') request.headers.set('Meshway-CSRF', csrf)
    return request
  },
}

export const api = createClient<paths>({ baseUrl: '/', credentials: 'same-origin' })
api.use(session)

type Outcome<T> = { data?: T; error?: unknown; response: Response }

/** The answer's body. Throws ApiProblem. */
export async function take<T>(asked: Promise<Outcome<T>>): Promise<T> {
  return (await whole(asked)).data as T
}

/** Body and head, for what reads ETag or Meshway-Revision. Throws ApiProblem. */
export async function whole<T>(asked: Promise<Outcome<T>>): Promise<{ data: T | undefined; response: Response }> {
  let outcome: Outcome<T>
  try {
    outcome = await asked
  } catch (cause) {
    throw new ApiProblem(0, 'unreachable', 'The registry does not answer', cause instanceof Error ? cause.message : '')
  }
  const { response } = outcome
  if (response.ok) return { data: outcome.data, response }
  if (response.status === 401) onSignedOut()
  const problem = problemOf(outcome.error, response)
  if (problem.code === 'confirm_needed') onConfirmNeeded()
  throw problem
}

function problemOf(body: unknown, response: Response): ApiProblem {
  const told = (typeof body === 'object' && body !== null ? body : {}) as Partial<Schemas['Problem']>
  return new ApiProblem(
    response.status,
    told.code ?? 'http_error',
    told.title ?? `HTTP ${response.status}`,
    told.detail ?? '',
    told.mend ?? '',
    told.instance ?? '',
    told.errors ?? [],
  )
}

/** The page after this one until there is none: for lists that are shown whole. */
export async function everyPage<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next?: string | null }>,
): Promise<T[]> {
  const all: T[] = []
  let cursor: string | undefined
  do {
    const one = await page(cursor)
    all.push(...one.items)
    cursor = one.next ?? undefined
  } while (cursor !== undefined)
  return all
}
