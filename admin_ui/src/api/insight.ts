import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Signals = Schemas['ServiceSignals']

/** Rate, errors and latency of each service of the last quarter of an hour; asked for again while somebody looks. */
export const signalsQuery = (namespace: string | undefined) =>
  queryOptions({
    queryKey: keys.signals(namespace ?? '-'),
    refetchInterval: 10_000,
    queryFn: async () => {
      const { items } = await take(api.GET('/v1/insight/services', { params: { query: { namespace } } }))
      return new Map(items.map((one) => [`${one.namespace}/${one.name}`, one]))
    },
  })
