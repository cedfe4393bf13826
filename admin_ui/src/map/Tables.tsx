import { memo, useCallback, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { type Column, DataTable } from '../kit/DataTable'
import { Status } from '../kit/Status'
import { causeText } from '../parts/causes'
import { WRITTEN } from '../parts/SignalStrip'
import type { Result } from './compare'
import type { Card, Graph, Line } from './graph'
import { cardMarks, marksOf, nameOf, versionsOf } from './words'

const ORDER = { bad: 0, warn: 1, unknown: 2, ok: 3, idle: 4 }
const FIGURES = ['rps', 'error_share', 'p95_ms'] as const

const idOf = ({ id }: { id: string }) => id

type Props = { graph: Graph; results: ReadonlyMap<string, Result>; pick: (id: string) => void }

/** The same nodes and edges as rows: for keys and screen readers, and for whoever sorts. */
export const Tables = memo(function Tables({ graph, results, pick }: Props) {
  const { t } = useTranslation()
  const { nodes, calls } = useColumns(results, pick)
  const open = useCallback(({ id }: { id: string }) => pick(id), [pick])
  return (
    <div className="map-tables">
      <section style={{ minWidth: 0 }}>
        <h2 style={{ fontSize: 14 }}>{t('map.nodes')}</h2>
        <DataTable label={t('map.nodes')} rows={graph.cards} columns={nodes} rowKey={idOf} open={open} />
      </section>
      <section style={{ minWidth: 0 }}>
        <h2 style={{ fontSize: 14 }}>{t('map.calls')}</h2>
        <DataTable label={t('map.calls')} rows={graph.lines} columns={calls} rowKey={idOf} open={open} />
      </section>
    </div>
  )
})

function useColumns(results: ReadonlyMap<string, Result>, pick: (id: string) => void) {
  const { t, i18n } = useTranslation()
  return useMemo(() => {
    const figures = <Row extends Card | Line>(): Column<Row>[] =>
      FIGURES.map((metric) => ({
        id: metric,
        title: t(`signals.${WRITTEN[metric].key}`),
        isNumber: true,
        sort: ({ figures: of }) => of[metric],
        cell: ({ figures: of }) => (of.calls > 0 ? WRITTEN[metric].write(of[metric], i18n.language) : '–'),
      }))
    const health = <Row extends Card | Line>(): Column<Row> => ({
      id: 'health',
      title: t('services.health'),
      sort: (row) => ORDER[row.health],
      cell: (row) => (
        <Status health={row.health}>
          {t(`signals.health.${row.health}`)}
          {row.causes && row.causes.length > 0 && (
            <span style={{ color: 'var(--muted)' }}>
              {row.causes.map((cause) => causeText(cause, t, i18n.language)).join('; ')}
            </span>
          )}
        </Status>
      ),
    })
    const name = (id: string, text: string) => (
      <button type="button" className="term" onClick={() => pick(id)}>
        {text}
      </button>
    )
    const nodes: Column<Card>[] = [
      {
        id: 'name',
        title: t('services.name'),
        sort: ({ id }) => id,
        cell: ({ id, folded }) => name(id, nameOf(t, id, folded)),
      },
      health(),
      ...figures<Card>(),
      {
        id: 'marks',
        title: t('map.marks'),
        cell: (card) => [versionsOf(card, i18n.language), ...cardMarks(t, card)].filter(Boolean).join(' · '),
      },
    ]
    const calls: Column<Line>[] = [
      {
        id: 'edge',
        title: t('map.edge'),
        sort: ({ id }) => id,
        cell: ({ id, source, target }) => name(id, `${nameOf(t, source)} → ${nameOf(t, target)}`),
      },
      ...(results.size > 0
        ? [
            {
              id: 'result',
              title: t('map.difference'),
              sort: ({ id }: Line) => results.get(id) ?? '',
              cell: ({ id }: Line) => {
                const result = results.get(id)
                return result ? t(`map.result.${result}`) : ''
              },
            },
          ]
        : []),
      health(),
      ...figures<Line>(),
      { id: 'marks', title: t('map.marks'), cell: (line) => marksOf(t, line, i18n.language).join(' · ') },
    ]
    return { nodes, calls }
  }, [t, i18n.language, results, pick])
}
