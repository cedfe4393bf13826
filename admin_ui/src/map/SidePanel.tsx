import { Button } from '@mantine/core'
import { useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { POLICY_KINDS, policiesFor } from '../api/concerning'
import { documentsQuery } from '../api/documents'
import { edgeSeriesQuery, type Metric, MOST_VERSIONS, serviceSeriesQuery, versionsQuery } from '../api/insight'
import { keptCallsQuery } from '../api/requests'
import { useRights } from '../api/session'
import { bytesPerSecond, millis, percent, timeOfDay } from '../i18n/format'
import { Loading, Panel } from '../kit/Panel'
import { Signal } from '../kit/Signal'
import { Status } from '../kit/Status'
import { Branchings } from '../parts/Branchings'
import { causeText } from '../parts/causes'
import { WRITTEN } from '../parts/SignalStrip'
import { LinkButton } from '../shell/LinkButton'
import { useSpan } from '../shell/useSpan'
import type { Card, Graph, Line } from './graph'
import { Instances } from './Instances'
import type { MapSearch } from './search'
import { cardMarks, marksOf, nameOf } from './words'

const SeriesChart = lazy(() => import('../kit/SeriesChart').then((module) => ({ default: module.SeriesChart })))
const SHOWN = 5
const COURSES = ['rps', 'error_share', 'p95_ms'] as const

type Props = { graph: Graph; picked: string; look: (next: Partial<MapSearch>) => void }

/** What is known of the card or the edge that was picked, and where to go from there. */
export function SidePanel({ graph, picked, look }: Props) {
  const { t } = useTranslation()
  const card = graph.cards.find(({ id }) => id === picked)
  const line = graph.lines.find(({ id }) => id === picked)
  return (
    <section className="panel map-side" aria-label={t('map.picked')}>
      <Button
        variant="default"
        size="compact-xs"
        style={{ float: 'inline-end' }}
        onClick={() => look({ pick: undefined })}
      >
        {t('kit.close')}
      </Button>
      {card && <OfCard card={card} graph={graph} look={look} />}
      {line && <OfLine line={line} graph={graph} look={look} />}
      {!card && !line && <p>{t('map.notHere')}</p>}
    </section>
  )
}

function OfCard({ card, graph, look }: { card: Card; graph: Graph; look: Props['look'] }) {
  const { t } = useTranslation()
  const isService = card.kind === 'service' && card.id.includes('/')
  const marks = cardMarks(t, card)
  return (
    <>
      <h2 style={{ marginTop: 0, overflowWrap: 'anywhere' }}>{nameOf(t, card.id, card.folded)}</h2>
      <Why of={card} />
      {marks.length > 0 && <p>{marks.join(' · ')}</p>}
      <Figures of={card} />
      <Versions card={card} />
      {(card.branchings ?? []).length > 0 && (
        <>
          <h3>{t('map.branchings')}</h3>
          <Branchings branchings={card.branchings ?? []} />
        </>
      )}
      <Neighbours card={card} graph={graph} look={look} />
      {isService && <OfService service={card.id} look={look} />}
      {card.kind === 'namespace' && card.folded === 0 && (
        <LinkButton to="/map" search={{ namespace: card.id, level: 'services' }}>
          {t('map.openNamespace')}
        </LinkButton>
      )}
    </>
  )
}

function OfLine({ line, graph, look }: { line: Line; graph: Graph; look: Props['look'] }) {
  const { t, i18n } = useTranslation()
  const { source, target } = line
  const marks = marksOf(t, line, i18n.language)
  const end = (id: string) => (
    <Button variant="default" size="compact-xs" onClick={() => look({ pick: id })}>
      {nameOf(t, id, graph.cards.find((one) => one.id === id)?.folded)}
    </Button>
  )
  const isOfServices = target.includes('/')
  return (
    <>
      <h2 style={{ marginTop: 0 }}>
        {end(source)} → {end(target)}
      </h2>
      <Why of={line} />
      {marks.length > 0 && <p>{marks.join(' · ')}</p>}
      <Figures of={line} />
      {isOfServices && (
        <>
          <EdgeCharts source={source} target={target} />
          <Policies service={target} />
          <Failures filter={filterOf(source, target)} />
          <Ways filter={filterOf(source, target)} service={target} look={look} />
        </>
      )}
    </>
  )
}

function OfService({ service, look }: { service: string; look: Props['look'] }) {
  const { t } = useTranslation()
  const span = useSpan()
  return (
    <>
      <Charts
        title={(metric) => t(`signals.${WRITTEN[metric].key}`)}
        query={(metric) => serviceSeriesQuery(span, metric, service)}
      />
      <Instances service={service} />
      <Policies service={service} />
      <Failures filter={`service:${service}`} />
      <Ways filter={`service:${service}`} service={service} look={look} />
    </>
  )
}

function Why({ of }: { of: Pick<Card, 'health' | 'causes'> }) {
  const { t, i18n } = useTranslation()
  const causes = of.causes ?? []
  return (
    <>
      <Status health={of.health}>{t(`signals.health.${of.health}`)}</Status>
      {causes.length > 0 && (
        <ul>
          {causes.map((cause) => (
            <li key={cause.code}>{causeText(cause, t, i18n.language)}</li>
          ))}
        </ul>
      )}
    </>
  )
}

function Figures({ of: { figures } }: { of: Card | Line }) {
  const { t, i18n } = useTranslation()
  if (figures.calls === 0) return <p>{t('signals.none')}</p>
  return (
    <dl className="signals">
      {COURSES.map((metric) => (
        <Signal
          key={metric}
          name={t(`signals.${WRITTEN[metric].key}`)}
          value={WRITTEN[metric].write(figures[metric], i18n.language)}
        />
      ))}
      <Signal name={t('map.labels.bytes')} value={bytesPerSecond(figures.out_bps, i18n.language)} />
    </dl>
  )
}

/** Which versions answered what share of the calls, and how slowly: one of them may be what makes all of it slow. */
function Versions({ card }: { card: Card }) {
  const { t, i18n } = useTranslation()
  const shares = Object.entries(card.versions ?? {})
  const names = shares.map(([name]) => name).slice(0, MOST_VERSIONS)
  const asked = useQuery({ ...versionsQuery(useSpan(), card.id, names), enabled: names.length > 1 })
  if (shares.length < 2) return null
  const figuresOf = (name: string) => asked.data?.figures[asked.data.versions.indexOf(name)]
  return (
    <>
      <h3>{t('map.versions')}</h3>
      <ul>
        {shares.map(([name, share]) => {
          const figures = figuresOf(name)
          return (
            <li key={name}>
              {name || '–'}: {percent(share, i18n.language)}
              {figures &&
                ` · ${t('signals.p95')} ${millis(figures.p95_ms, i18n.language)} · ${t('signals.errors')} ${percent(figures.error_share, i18n.language)}`}
            </li>
          )
        })}
      </ul>
    </>
  )
}

/** Edges of the card: whoever cannot point at a line goes by these. */
function Neighbours({ card, graph, look }: { card: Card; graph: Graph; look: Props['look'] }) {
  const { t } = useTranslation()
  const lines = graph.lines.filter(({ source, target }) => source === card.id || target === card.id)
  if (lines.length === 0) return null
  return (
    <details>
      <summary style={{ minHeight: 24, cursor: 'pointer' }}>{t('map.edgesOf', { count: lines.length })}</summary>
      <ul>
        {lines.map(({ id, source, target }) => (
          <li key={id}>
            <Button variant="default" size="compact-xs" onClick={() => look({ pick: id })}>
              {nameOf(t, source)} → {nameOf(t, target)}
            </Button>
          </li>
        ))}
      </ul>
    </details>
  )
}

type Shown = (typeof COURSES)[number]
type ChartsProps = {
  title: (metric: Shown) => string
  query: (metric: Metric) => ReturnType<typeof serviceSeriesQuery>
}

function Charts({ title, query }: ChartsProps) {
  const { t, i18n } = useTranslation()
  const asked = useQueries({ queries: COURSES.map((metric) => query(metric)) })
  return (
    <>
      {COURSES.map((metric, at) => {
        const series = asked[at]?.data
        const line = series?.lines[0]
        if (!series || !line) return null
        return (
          <Suspense key={metric} fallback={<Loading height={220} />}>
            <SeriesChart
              title={title(metric)}
              first={series.first}
              step_s={series.step_s}
              lines={[{ name: t(`signals.${WRITTEN[metric].key}`), points: line.points }]}
              format={(value) => WRITTEN[metric].write(value, i18n.language)}
            />
          </Suspense>
        )
      })}
    </>
  )
}

/** What this one calls there, and beside it all that the other is called. */
function EdgeCharts({ source, target }: { source: string; target: string }) {
  const { t, i18n } = useTranslation()
  const span = useSpan()
  const edge = useQueries({ queries: COURSES.map((metric) => edgeSeriesQuery(span, metric, source, target)) })
  const end = useQueries({ queries: COURSES.map((metric) => serviceSeriesQuery(span, metric, target)) })
  return (
    <>
      {COURSES.map((metric, at) => {
        const [own, all] = [edge[at]?.data, end[at]?.data]
        const line = own?.lines[0]
        if (!own || !line) return null
        const other = all?.lines[0]
        return (
          <Suspense key={metric} fallback={<Loading height={220} />}>
            <SeriesChart
              title={t(`signals.${WRITTEN[metric].key}`)}
              first={own.first}
              step_s={own.step_s}
              lines={[
                { name: t('map.thisEdge'), points: line.points },
                ...(other && all.step_s === own.step_s && all.first === own.first
                  ? [{ name: t('map.allOf', { name: target }), points: other.points }]
                  : []),
              ]}
              format={(value) => WRITTEN[metric].write(value, i18n.language)}
            />
          </Suspense>
        )
      })}
    </>
  )
}

function Policies({ service }: { service: string }) {
  const { t } = useTranslation()
  const [namespace = '', name = ''] = service.split('/')
  const { may } = useRights()
  const enabled = may('documents:read', namespace)
  const found = useQueries({ queries: POLICY_KINDS.map((kind) => ({ ...documentsQuery(kind), enabled })) })
  if (!enabled) return null
  const here = found.flatMap(({ data }) => policiesFor(data ?? [], namespace, name))
  return (
    <>
      <h3>{t('services.policiesHere')}</h3>
      {here.length === 0 ? (
        <p>{t('services.noPolicies')}</p>
      ) : (
        <ol>
          {here.map(({ document, target }) => {
            const { namespace: own = 'default', name: called } = document.metadata
            return (
              <li key={`${document.kind}/${own}/${called}/${target}`}>
                {document.kind}{' '}
                <Link
                  to="/policies/$kind/$namespace/$name"
                  params={{ kind: document.kind, namespace: own, name: called }}
                >
                  {own}/{called}
                </Link>
              </li>
            )
          })}
        </ol>
      )}
    </>
  )
}

function Failures({ filter }: { filter: string }) {
  const { t, i18n } = useTranslation()
  const { maySomewhere } = useRights()
  const enabled = maySomewhere('metrics:read')
  const asked = useInfiniteQuery({ ...keptCallsQuery(`${filter} status>=500`), enabled })
  if (!enabled) return null
  return (
    <>
      <h3>{t('map.failures')}</h3>
      <Panel asked={asked} height={60}>
        {({ pages }) => {
          const calls = (pages[0]?.items ?? []).slice(0, SHOWN)
          if (calls.length === 0) return <p>{t('map.noFailures')}</p>
          return (
            <ul>
              {calls.map((call) => (
                <li key={`${call.request_id} ${call.time}`}>
                  <Link to="/requests/$id" params={{ id: call.request_id ?? '' }}>
                    {timeOfDay(Date.parse(call.time), i18n.language)}
                  </Link>{' '}
                  {call.method} {call.path} <Status health="bad">{`${call.status ?? ''} ${call.flag ?? ''}`}</Status>{' '}
                  <span lang="en">{call.detail || call.reason}</span>
                </li>
              ))}
            </ul>
          )
        }}
      </Panel>
    </>
  )
}

function Ways({ filter, service, look }: { filter: string; service: string; look: Props['look'] }): ReactNode {
  const { t } = useTranslation()
  const [namespace = '', name = ''] = service.split('/')
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, marginTop: 12 }}>
      <LinkButton variant="default" to="/services/$namespace/$service" params={{ namespace, service: name }}>
        {t('map.toService', { name })}
      </LinkButton>
      <LinkButton variant="default" to="/requests" search={{ filter, live: true }}>
        {t('map.tap')}
      </LinkButton>
      <LinkButton variant="default" to="/explain">
        {t('nav.explain')}
      </LinkButton>
      <Button variant="default" onClick={() => look({ level: 'focus', focus: service })}>
        {t('map.focus', { name })}
      </Button>
    </div>
  )
}

/** Of single calls. Who calls is told by the name that was proved, which ends in the service's. */
function filterOf(source: string, target: string): string {
  const [namespace, name] = source.split('/')
  if (!name) return source === 'edge' ? `service:${target} listener:edge*` : `service:${target}`
  return `service:${target} principal:*/ns/${namespace}/svc/${name}`
}
