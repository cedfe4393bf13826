import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Revision = Schemas['RevisionEntry']

const PAGE = 50

/** Newest first; older ones are asked for page by page. */
export const revisionsQuery = infiniteQueryOptions({
  queryKey: keys.revisions,
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam }) => take(api.GET('/v1/revisions', { params: { query: { limit: PAGE, cursor: pageParam } } })),
  getNextPageParam: (page) => page.next ?? undefined,
})

export const documentHistoryQuery = (kind: string, namespace: string, name: string) =>
  queryOptions({
    queryKey: [...keys.revisions, kind, namespace, name],
    queryFn: async () =>
      (
        await take(
          api.GET('/v1/revisions', { params: { query: { limit: PAGE, kind: kind as never, namespace, name } } }),
        )
      ).items,
  })

export const revisionQuery = (number: string) =>
  queryOptions({
    queryKey: [...keys.revisions, number],
    queryFn: () => take(api.GET('/v1/revisions/{number}', { params: { path: { number } } })),
  })

/** What lies between a revision and another, or the head. */
export const differenceQuery = (number: string, to?: number) =>
  queryOptions({
    queryKey: [...keys.revisions, number, 'to', to ?? 'head'],
    queryFn: () =>
      take(
        api.GET('/v1/revisions/{number}/diff', { params: { path: { number }, query: to === undefined ? {} : { to } } }),
      ),
  })

/** Makes all documents what they were; head: the newest revision that was looked at, 412 when there is a newer one. */
export function restore(number: string, head: number) {
  return take(
    api.POST('/v1/revisions/{number}/restore', {
      params: { path: { number } },
      headers: { 'If-Match': `"${head}"` },
    }),
  )
}
