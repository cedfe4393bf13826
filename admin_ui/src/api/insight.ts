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

export type Metric = Schemas['Series']['metric']

/** The spans that can be looked at, seconds. */
export const WINDOWS_S = [900, 3_600, 21_600, 86_400] as const
export const DEFAULT_WINDOW_S = 900
const POINTS = 60
const SHORTEST_STEP_S = 10

/** One figure of one service over a span that ends now; null where there were no calls to tell it by. */
export const seriesQuery = (metric: Metric, namespace: string, service: string, window_s: number) =>
  queryOptions({
    queryKey: [...keys.signals(namespace), service, metric, window_s],
    refetchInterval: 10_000,
    queryFn: async () => {
      const step_s = Math.max(SHORTEST_STEP_S, Math.ceil(window_s / POINTS / SHORTEST_STEP_S) * SHORTEST_STEP_S)
      const query = { metric, namespace, service: `${namespace}/${service}`, window_s, step_s }
      const series = await take(api.GET('/v1/insight/series', { params: { query } }))
      return series.lines[0]?.points ?? []
    },
  })
