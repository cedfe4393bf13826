import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Figures = Schemas['Figures']
export type ServiceSignals = Schemas['ServiceSignals']
export type Series = Schemas['Series']
export type Topology = Schemas['Topology']
export type Metric = Series['metric']
export type MapNode = Topology['nodes'][number]
export type MapEdge = Topology['edges'][number]
export type Spans = Schemas['Spans']

/** What numbers are of. at: the end, seconds since 1970; undefined: now. */
export type Span = { at?: number; window_s: number }

const ASK_AGAIN_MS = 10_000
const POINTS = 60
const SPARK_POINTS = 20
const STEP_S = 10

/** Numbers of now change by themselves; those of a moment that is over do not. */
const again = ({ at }: Span) => (at === undefined ? ASK_AGAIN_MS : false)

function queryOf({ at, window_s }: Span) {
  return at === undefined ? { window_s } : { at: String(at), window_s }
}

/** A multiple of ten seconds that gives about so many points. */
export function stepOf(window_s: number, points: number): number {
  return Math.max(STEP_S, Math.ceil(window_s / points / STEP_S) * STEP_S)
}

/** Those of now come by the live stream. */
export const signalsQuery = (span: Span, namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.insight, 'services', span, namespace],
    queryFn: async () =>
      (await take(api.GET('/v1/insight/services', { params: { query: { ...queryOf(span), namespace } } }))).items,
  })

/** One figure of all services of a namespace together. */
export const totalQuery = (span: Span, metric: Metric, namespace: string | undefined) =>
  seriesQuery(span, { metric, by: 'total', namespace, step_s: stepOf(span.window_s, SPARK_POINTS) })

/** One figure, a line for each service: the busiest fifty. */
export const sparklinesQuery = (span: Span, metric: Metric, namespace: string | undefined) =>
  seriesQuery(span, { metric, by: 'service', namespace, step_s: stepOf(span.window_s, SPARK_POINTS) })

/** One figure of one service. */
export const serviceSeriesQuery = (span: Span, metric: Metric, service: string) =>
  seriesQuery(span, { metric, by: 'total', service, step_s: stepOf(span.window_s, POINTS) })

/** One figure of what one calls at another. source: `namespace/name`, `edge` or `anonymous`. */
export const edgeSeriesQuery = (span: Span, metric: Metric, source: string, service: string) =>
  seriesQuery(span, { metric, by: 'source', source, service, step_s: stepOf(span.window_s, POINTS) })

type Asked = {
  metric: Metric
  by: Series['by']
  namespace?: string
  service?: string
  source?: string
  step_s: number
}

const seriesQuery = (span: Span, asked: Asked) =>
  queryOptions({
    queryKey: [...keys.insight, 'series', span, asked],
    refetchInterval: again(span),
    queryFn: () => take(api.GET('/v1/insight/series', { params: { query: { ...queryOf(span), ...asked } } })),
  })

/** Of all calls together. */
export const allCallsQuery = (span: Span, namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.insight, 'all', span, namespace],
    refetchInterval: again(span),
    queryFn: async () =>
      (
        await take(
          api.GET('/v1/insight/topology', {
            params: { query: { ...queryOf(span), level: 'namespaces', namespace } },
          }),
        )
      ).totals,
  })

/** Who calls a service, and whom it calls. service: `namespace/name`. */
export const aroundQuery = (span: Span, service: string) =>
  queryOptions({
    queryKey: [...keys.insight, 'around', span, service],
    refetchInterval: again(span),
    queryFn: () =>
      take(
        api.GET('/v1/insight/topology', {
          params: { query: { ...queryOf(span), level: 'focus', service, hops: 1 } },
        }),
      ),
  })

/** As many as the registry tells in one answer. */
export const MOST_VERSIONS = 20

/** The figures of versions of a service, in their order: two at least. service: `namespace/name`. */
export const versionsQuery = (span: Span, service: string, versions: readonly string[]) =>
  queryOptions({
    queryKey: [...keys.insight, 'versions', span, service, versions],
    refetchInterval: again(span),
    queryFn: () =>
      take(
        api.GET('/v1/insight/versions', {
          params: { query: { ...queryOf(span), service, versions: versions.join(',') } },
        }),
      ),
  })

export type MapAsked =
  | { level: 'namespaces' }
  | { level: 'services'; namespace?: string; versions?: boolean }
  | { level: 'focus'; service: string; hops: number; versions?: boolean }

/** Who calls whom. What was there stays on the screen until the next moment has come. */
export const mapQuery = (span: Span, asked: MapAsked) =>
  queryOptions({
    queryKey: [...keys.insight, 'map', span, asked],
    refetchInterval: again(span),
    placeholderData: keepPreviousData,
    // Of thousands of edges nearly all have moved: looking for those that have not costs more than it saves.
    structuralSharing: false,
    queryFn: () => take(api.GET('/v1/insight/topology', { params: { query: { ...queryOf(span), ...asked } } })),
  })

/** The span and the one that ends at `before`, edge by edge. */
export const spansQuery = (span: Span, before: number, namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.insight, 'spans', span, before, namespace],
    refetchInterval: again(span),
    placeholderData: keepPreviousData,
    queryFn: () =>
      take(
        api.GET('/v1/insight/comparison', {
          params: { query: { ...queryOf(span), before: String(before), namespace } },
        }),
      ),
  })

export type RouteUse = Schemas['RouteUse']

/** Calls of Routes, and when each had one last. */
export const routeUsesQuery = (span: Span) =>
  queryOptions({
    queryKey: [...keys.insight, 'routes', span],
    queryFn: async () => (await take(api.GET('/v1/insight/routes', { params: { query: queryOf(span) } }))).items,
    refetchInterval: again(span),
  })
