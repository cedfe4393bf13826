import { useQueries } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Figures, Metric, totalQuery } from '../api/insight'
import { bytesPerSecond, millis, percent, perSecond } from '../i18n/format'
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
/** The same of connections and sessions: how many, what they carried, and how long they were open. */
const WRITTEN_OF_BYTES = {
  rps: { key: 'connections', write: perSecond },
  error_share: { key: 'cut', write: percent },
  in_bps: { key: 'came', write: bytesPerSecond },
  out_bps: { key: 'went', write: bytesPerSecond },
  p50_ms: { key: 'open', write: millis },
} as const

type Figure = {
  key: (typeof WRITTEN)[keyof typeof WRITTEN]['key'] | (typeof WRITTEN_OF_BYTES)[keyof typeof WRITTEN_OF_BYTES]['key']
  write: (value: number, language: string) => string
}
/** How figures of calls, or of connections, are written. */
export const writtenOf = (isOfBytes: boolean): { [metric in Metric]?: Figure } =>
  isOfBytes ? WRITTEN_OF_BYTES : WRITTEN
/** Which are told of what nothing is known of, too. */
const SUMS: readonly Metric[] = ['rps', 'in_bps', 'out_bps']

type Props = { figures: Figures; course: Course; isOfBytes?: boolean }

/** Rate, errors and latency in one row, each with its course. course: the query of a figure's. */
export function SignalStrip({ figures, course, isOfBytes = false }: Props) {
  const { t, i18n } = useTranslation()
  const shown = Object.entries(writtenOf(isOfBytes)) as [keyof Figures & Metric, Figure][]
  const asked = useQueries({ queries: shown.map(([metric]) => course(metric)) })
  return (
    <dl className="signals">
      {shown.map(([metric, { key, write }], at) => {
        const name = t(`signals.${key}`)
        const isKnown = figures.calls > 0 || SUMS.includes(metric)
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
