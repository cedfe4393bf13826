import { useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { aroundQuery, type Figures, type Metric, serviceSeriesQuery, type Topology } from '../api/insight'
import { revisionsQuery } from '../api/revisions'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Loading, Panel } from '../kit/Panel'
import { writtenOf } from '../parts/SignalStrip'
import { useSpan } from '../shell/useSpan'

// uPlot is loaded by whoever looks at a chart.
const SeriesChart = lazy(() => import('../kit/SeriesChart').then((module) => ({ default: module.SeriesChart })))

const CHARTS = [
  { key: 'latency', metrics: ['p50_ms', 'p95_ms', 'p99_ms'] },
  { key: 'rate', metrics: ['rps'] },
  { key: 'errors', metrics: ['error_share'] },
] as const

const CHARTS_OF_BYTES = [
  { key: 'connections', metrics: ['rps'] },
  { key: 'bytes', metrics: ['in_bps', 'out_bps'] },
  { key: 'cut', metrics: ['error_share'] },
] as const

type Props = { namespace: string; service: string; isOfBytes: boolean }

/** The service's figures over time, with the revisions of its namespace on them; and who calls whom. */
export function SignalsPanel({ namespace, service, isOfBytes }: Props) {
  const { t } = useTranslation()
  const full = `${namespace}/${service}`
  const around = useQuery(aroundQuery(useSpan(), full))
  const marks = useMarks(namespace)
  return (
    <div style={{ display: 'grid', gap: 16 }}>
      <div className="charts">
        {(isOfBytes ? CHARTS_OF_BYTES : CHARTS).map(({ key, metrics }) => (
          <Chart
            key={key}
            title={t(`signals.${key}`)}
            metrics={metrics}
            service={full}
            marks={marks}
            isOfBytes={isOfBytes}
          />
        ))}
      </div>
      <Panel asked={around} height={120}>
        {({ edges }) => (
          <div className="charts">
            <Ends
              title={t('signals.callers')}
              none={t('signals.nobody')}
              rows={callers(edges, full)}
              isOfBytes={isOfBytes}
            />
            <Ends title={t('signals.callees')} none={t('signals.callsNobody')} rows={callees(edges, full)} />
          </div>
        )}
      </Panel>
    </div>
  )
}

type ChartProps = {
  title: string
  metrics: readonly Metric[]
  service: string
  marks: { at: number; name: string }[]
  isOfBytes: boolean
}

function Chart({ title, metrics, service, marks, isOfBytes }: ChartProps) {
  const { t, i18n } = useTranslation()
  const written = writtenOf(isOfBytes)
  const span = useSpan()
  const asked = useQueries({
    queries: metrics.map((metric) => serviceSeriesQuery(span, metric, service)),
    combine: (results) => ({
      data: results.every((one) => one.data) ? results.flatMap((one) => one.data ?? []) : undefined,
      error: results.find((one) => one.error)?.error ?? null,
      refetch: () => Promise.all(results.map((one) => one.refetch())),
    }),
  })
  return (
    <Panel asked={asked} height={220}>
      {(series) => {
        const lines = series.map(({ metric, lines: [line] }) => ({
          name: t(`signals.${written[metric]?.key ?? 'rate'}`),
          points: line?.points ?? [],
        }))
        const [first] = series
        if (!first || lines.every(({ points }) => points.length === 0)) {
          return (
            <section className="panel">
              <h2>{title}</h2>
              <p style={{ margin: 0 }}>{t('signals.none')}</p>
            </section>
          )
        }
        const write = written[first.metric]?.write ?? String
        return (
          <Suspense fallback={<Loading height={220} />}>
            <SeriesChart
              title={title}
              first={first.first}
              step_s={first.step_s}
              lines={lines}
              marks={marks}
              format={(value) => write(value, i18n.language)}
            />
          </Suspense>
        )
      }}
    </Panel>
  )
}

/** The latest revisions that touched a document of the namespace. */
function useMarks(namespace: string) {
  const { may } = useRights()
  const { data } = useInfiniteQuery({ ...revisionsQuery, enabled: may('documents:read', namespace) })
  return useMemo(
    () =>
      (data?.pages[0]?.items ?? [])
        .filter((one) => one.documents.some((document) => document.namespace === namespace))
        .map((one) => ({ at: Date.parse(one.at) / 1000, name: `r${one.revision}` })),
    [data, namespace],
  )
}

type End = { id: string; figures: Figures }

const callers = (edges: Topology['edges'], service: string): End[] =>
  edges.filter((one) => one.target === service).map(({ source, figures }) => ({ id: source, figures }))

const callees = (edges: Topology['edges'], service: string): End[] =>
  edges.filter((one) => one.source === service).map(({ target, figures }) => ({ id: target, figures }))

type EndsProps = { title: string; none: string; rows: readonly End[]; isOfBytes?: boolean }

function Ends({ title, none, rows, isOfBytes = false }: EndsProps) {
  const { t, i18n } = useTranslation()
  const written = writtenOf(isOfBytes)
  const shown = isOfBytes ? (['rps', 'in_bps', 'out_bps'] as const) : (['rps', 'error_share', 'p95_ms'] as const)
  const columns: Column<End>[] = [
    { id: 'who', title: t('signals.who'), sort: ({ id }) => id, cell: ({ id }) => <Who id={id} /> },
    ...shown.map((metric) => ({
      id: metric,
      title: t(`signals.${written[metric]?.key ?? 'rate'}`),
      isNumber: true,
      sort: ({ figures }: End) => figures[metric],
      cell: ({ figures }: End) => written[metric]?.write(figures[metric], i18n.language),
    })),
  ]
  return (
    <section style={{ minWidth: 0 }}>
      <h2 style={{ fontSize: 14 }}>{title}</h2>
      {rows.length === 0 ? (
        <p>{none}</p>
      ) : (
        <DataTable label={title} rows={rows} columns={columns} rowKey={({ id }) => id} />
      )}
    </section>
  )
}

const OUTSIDE = ['edge', 'anonymous', 'hidden', 'other'] as const

function Who({ id }: { id: string }) {
  const { t } = useTranslation()
  const outside = OUTSIDE.find((one) => one === (id || 'anonymous'))
  if (outside) return <>{t(`signals.${outside}`)}</>
  const [namespace = '', service = ''] = id.split('/')
  return (
    <Link to="/services/$namespace/$service" params={{ namespace, service }}>
      {id}
    </Link>
  )
}
