import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Alert = Schemas['Shown']
export type AlertRule = Schemas['RuleShown']
export type ObjectiveState = Schemas['ObjectiveShown']
export type Silence = Schemas['Silence']
export type ReceiverState = Schemas['ReceiverState']
export type Matcher = Schemas['Matcher']

const ASK_AGAIN_MS = 10_000
const PAGE = 100

/** What is about to fire and what fires, silenced or not. namespace undefined: of all that may be read. */
export const liveAlertsQuery = (namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.alerts, 'live', namespace],
    refetchInterval: ASK_AGAIN_MS,
    queryFn: async () => (await take(api.GET('/v1/alerts', { params: { query: { namespace } } }))).items,
  })

/** What was resolved, the youngest first. */
export const pastAlertsQuery = (namespace: string | undefined) =>
  infiniteQueryOptions({
    queryKey: [...keys.alerts, 'past', namespace],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam }) =>
      (
        await take(
          api.GET('/v1/alerts', {
            params: { query: { namespace, state: 'resolved', limit: PAGE, before: pageParam } },
          }),
        )
      ).items,
    getNextPageParam: (page) => (page.length < PAGE ? undefined : String(page.at(-1)?.resolved_at)),
  })

/** What alerts are judged by: what is built in, and what people wrote. */
export const alertRulesQuery = (namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.alerts, 'rules', namespace],
    refetchInterval: ASK_AGAIN_MS,
    queryFn: async () => (await take(api.GET('/v1/alerts/rules', { params: { query: { namespace } } }))).items,
  })

export const objectivesQuery = (namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.alerts, 'objectives', namespace],
    refetchInterval: ASK_AGAIN_MS,
    queryFn: async () => (await take(api.GET('/v1/objectives', { params: { query: { namespace } } }))).items,
  })

export const silencesQuery = (namespace: string | undefined) =>
  queryOptions({
    queryKey: [...keys.silences, namespace],
    queryFn: async () => (await take(api.GET('/v1/silences', { params: { query: { namespace } } }))).items,
  })

/** How the last messages to Receivers fared. */
export const receiversQuery = queryOptions({
  queryKey: [...keys.alerts, 'receivers'],
  refetchInterval: ASK_AGAIN_MS,
  queryFn: async () => (await take(api.GET('/v1/receivers'))).items,
})

/** until: how long from now (`2h`). Throws ApiProblem. */
export function silence(namespace: string, matchers: Matcher[], until: string, reason: string): Promise<Silence> {
  return take(api.POST('/v1/silences', { body: { namespace, matchers, until, reason } }))
}

export function endSilence(id: string): Promise<unknown> {
  return take(api.DELETE('/v1/silences/{silence}', { params: { path: { silence: id } } }))
}

/** When a rule would have fired over the last day. spec: of an Alert. Throws ApiProblem. */
export function tryAlert(namespace: string, spec: { query: string }) {
  // The description says of a spec only that it is an object.
  return take(api.POST('/v1/alerts/try', { body: { namespace, spec: spec as never } }))
}

export type Tried = Awaited<ReturnType<typeof tryAlert>>

/** Sends a message that says it is a test, and answers what the other side said. Throws ApiProblem. */
export function testReceiver(namespace: string, name: string): Promise<Schemas['Sent']> {
  return take(api.POST('/v1/namespaces/{namespace}/receivers/{name}/test', { params: { path: { namespace, name } } }))
}

/** Matchers of all that names it: a silence by them covers this alert, and no other. */
export function matchersOf(alert: Alert): Matcher[] {
  const labels = Object.entries({ ...alert.labels, alert: alert.name })
  return labels.map(([name, value]) => ({ name, value }))
}

/** `service` and its namespace, of an alert that is of one. */
export function serviceOf(alert: Alert): { namespace: string; service: string } | undefined {
  const { namespace, service } = alert.labels ?? {}
  return namespace && service ? { namespace, service } : undefined
}

/** The calls that it is about, as a filter of them; undefined: it is about none. */
export function callsOf(alert: Alert): string | undefined {
  const labels = alert.labels ?? {}
  const terms = ['service', 'route', 'gateway'].flatMap((name) =>
    labels[name]
      ? [`${name}:${name === 'gateway' || !labels.namespace ? labels[name] : `${labels.namespace}/${labels[name]}`}`]
      : [],
  )
  return terms.length > 0 ? terms.join(' ') : undefined
}

/** Whether nobody is told of it now. */
export function isQuiet(alert: Alert): boolean {
  return (alert.silenced_by?.length ?? 0) > 0 || alert.muted === true
}

/** How bad it is, as a status shows it. */
export function healthOfAlert(alert: Alert): 'bad' | 'warn' | 'idle' | 'unknown' {
  if (alert.state === 'resolved' || isQuiet(alert)) return 'idle'
  if (alert.state === 'pending') return 'unknown'
  return alert.severity === 'critical' ? 'bad' : 'warn'
}
