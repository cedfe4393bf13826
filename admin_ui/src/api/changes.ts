import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import type { Foreseen } from './documents'
import { keys } from './keys'

export type Change = Schemas['Change']
export type ChangeDocument = Schemas['ChangeDocument']
export type ChangeForeseen = Schemas['ChangeForeseen']
export type Moved = Schemas['Moved']
/** text: null: it is deleted. base_revision: what it was made from; undefined: the change's, or what is published. */
export type Part = { kind: string; namespace: string; name: string; text: string | null; base_revision?: number }

const PAGE = 200
const WATCH_MS = 5_000

const path = (id: string) => ({ path: { change: id } })
/** Of the version that was read: 412 when somebody else has written it since. */
const seen = ({ version }: Change) => ({ 'If-Match': `"${version}"` })

/** Those that are not published, the newest first. */
export const openChangesQuery = queryOptions({
  queryKey: [...keys.changes, 'open'],
  queryFn: async () =>
    (await take(api.GET('/v1/changes', { params: { query: { state: 'open', limit: PAGE } } }))).items,
})

export const changeQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.changes, id],
    queryFn: () => take(api.GET('/v1/changes/{change}', { params: path(id) })),
  })

/** What publishing it would change, on what is published now. revision: of the head, so that each is asked anew. */
export const foreseenQuery = (change: Change) =>
  queryOptions({
    queryKey: [...keys.changes, change.id, 'dry-run', change.version, change.documents.map((one) => one.revision)],
    retry: false,
    queryFn: () =>
      take(api.POST('/v1/changes/{change}/dry-run', { params: path(change.id) })) as Promise<ChangeForeseen>,
  })

export const watchQuery = (change: Change) =>
  queryOptions({
    queryKey: [...keys.changes, change.id, 'watch'],
    queryFn: () => take(api.GET('/v1/changes/{change}/watch', { params: path(change.id) })),
    refetchInterval: ({ state }) => (Date.now() / 1000 < (state.data?.until ?? Infinity) ? WATCH_MS : false),
  })

export function rehearseChange(change: Change): Promise<Foreseen> {
  return take(
    api.POST('/v1/changes/{change}/dry-run', { params: { ...path(change.id), query: { rehearse: '1h' } } }),
  ) as Promise<Foreseen>
}

export function openChange(title: string, documents: Part[]): Promise<Change> {
  return take(api.POST('/v1/changes', { body: { title, documents } })) as Promise<Change>
}

/** The same documents but for one, which is put in or takes its old text's place. Throws ApiProblem, 412 as above. */
export function writePart(change: Change, part: Part): Promise<Change> {
  const others = change.documents.filter((one) => !isSame(one, part)).map(partOf)
  return editChange(change, [...others, part])
}

export function editChange(change: Change, documents: Part[]): Promise<Change> {
  return take(
    api.PATCH('/v1/changes/{change}', {
      params: path(change.id),
      headers: seen(change),
      body: { title: change.title, documents },
    }),
  ) as Promise<Change>
}

export function deleteChange(change: Change) {
  return take(api.DELETE('/v1/changes/{change}', { params: path(change.id), headers: seen(change) }))
}

export function askReview(change: Change) {
  return take(api.POST('/v1/changes/{change}/review', { params: path(change.id), headers: seen(change) }))
}

export function judge(change: Change, verdict: 'approve' | 'refuse', text: string) {
  return take(
    api.POST('/v1/changes/{change}/words', {
      params: path(change.id),
      headers: seen(change),
      body: { verdict, text },
    }),
  )
}

export function publishChange(change: Change, message: string, waives: boolean) {
  return take(
    api.POST('/v1/changes/{change}/publish', {
      params: path(change.id),
      headers: seen(change),
      body: { message, waive_approvals: waives },
    }),
  )
}

/** A new draft that undoes it. */
export function takeBack(id: string): Promise<Change> {
  return take(api.POST('/v1/changes/{change}/take-back', { params: path(id) })) as Promise<Change>
}

export function isSame(one: Omit<Part, 'text'>, other: Omit<Part, 'text'>): boolean {
  return one.kind === other.kind && one.namespace === other.namespace && one.name === other.name
}

export function partOf({ kind, namespace, name, text, base_revision }: ChangeDocument): Part {
  return { kind, namespace, name, text: text ?? null, base_revision }
}
