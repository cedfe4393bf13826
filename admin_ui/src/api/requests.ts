import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Call = Schemas['CallLine']
export type Trace = Schemas['Trace']
export type TraceSpan = Schemas['Span']

const PAGE = 200

/** Those kept that fit, the newest first: failed and slow ones and a part of the rest. */
export const keptCallsQuery = (filter: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.requests, 'kept', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      take(
        api.GET('/v1/requests', {
          params: { query: { filter: filter || undefined, limit: PAGE, cursor: pageParam } },
        }),
      ),
    getNextPageParam: (page) => page.next ?? undefined,
  })

/** All calls of one request id. What has happened stays as it is, so it is asked for once. */
export const requestQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.requests, 'one', id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => (await take(api.GET('/v1/requests/{id}', { params: { path: { id } } }))).items,
  })

/** Spans come some seconds after the call; of most calls there are none. */
export const traceQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.requests, 'trace', id],
    queryFn: () => take(api.GET('/v1/traces/{id}', { params: { path: { id }, query: { unknown: 'empty' } } })),
  })
