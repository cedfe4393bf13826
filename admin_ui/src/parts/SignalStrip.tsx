import { useQueries } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Figures, Metric, totalQuery } from '../api/insight'
import { millis, percent, perSecond } from '../i18n/format'
import { Signal } from '../kit/Signal'
import { Sparkline } from '../kit/Sparkline'

type Course = (metric: Metric) => ReturnType<typeof totalQuery>

/** How each figure is written, and what it is called. */
export const WRITTEN = {
  rps: { key: 'rate', write: perSecond },
  error_share: { key: 'errors', write: percent },
  p50_ms: { key: 'p50', write: millis },
  p95_ms: { key: 'p95', write: millis },
  p99_ms: { key: 'p99', write: millis },
} as const
const SHOWN = Object.keys(WRITTEN) as (keyof typeof WRITTEN)[]

/** Rate, errors and latency in one row, each with its course. course: the query of a figure's. */
export function SignalStrip({ figures, course }: { figures: Figures; course: Course }) {
  const { t, i18n } = useTranslation()
  const asked = useQueries({ queries: SHOWN.map((metric) => course(metric)) })
  return (
    <dl className="signals">
      {SHOWN.map((metric, at) => {
        const { key, write } = WRITTEN[metric]
        const name = t(`signals.${key}`)
        const isKnown = figures.calls > 0 || metric === 'rps'
        const value = isKnown ? write(figures[metric], i18n.language) : '–'
        const line = asked[at]?.data?.lines[0]
        return (
          <Signal key={metric} name={name} value={value}>
            {line && <Sparkline points={line.points} label={`${t('signals.trend')} ${name}`} />}
          </Signal>
        )
      })}
    </dl>
  )
}
