import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Metric, seriesQuery, WINDOWS_S } from '../api/insight'
import { number, percent } from '../i18n/format'
import { Panel } from '../kit/Panel'
import { Sparkline } from '../kit/Sparkline'
import { useWindow } from '../shell/useWindow'

const SHOWN = ['rps', 'error_share', 'p95_ms'] as const satisfies Metric[]

/** Rate, errors and latency over the span of the page's address. */
export function SignalsPanel({ namespace, service }: { namespace: string; service: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const window_s = useWindow()
  return (
    <section className="panel" aria-label={t('signals.title')} style={{ marginTop: 12 }}>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 24, alignItems: 'end' }}>
        {SHOWN.map((metric) => (
          <Signal key={metric} metric={metric} namespace={namespace} service={service} window_s={window_s} />
        ))}
        <NativeSelect
          aria-label={t('signals.window')}
          value={String(window_s)}
          data={WINDOWS_S.map((one) => ({ value: String(one), label: t(`signals.last${one}`) }))}
          onChange={(event) => {
            const chosen = Number(event.currentTarget.value)
            void navigate({ to: '.', search: (now) => ({ ...now, window_s: chosen }) })
          }}
        />
      </div>
    </section>
  )
}

type Props = { metric: (typeof SHOWN)[number]; namespace: string; service: string; window_s: number }

function Signal({ metric, namespace, service, window_s }: Props) {
  const { t, i18n } = useTranslation()
  const asked = useQuery(seriesQuery(metric, namespace, service, window_s))
  const text = (value: number) => {
    if (metric === 'error_share') return percent(value, i18n.language)
    return metric === 'p95_ms' ? `${number(value, i18n.language)} ms` : `${number(value, i18n.language)} /s`
  }
  return (
    <div style={{ flex: '1 1 180px', maxWidth: 280 }}>
      <Panel asked={asked} height={64}>
        {(points) => {
          const known = points.filter((one) => one !== null)
          const last = known.at(-1)
          const label = t('signals.summary', {
            name: t(`signals.${metric}`),
            last: last === undefined ? '–' : text(last),
            most: known.length === 0 ? '–' : text(Math.max(...known)),
          })
          return (
            <>
              <div>
                <span style={{ color: 'var(--muted)' }}>{t(`signals.${metric}`)}</span>{' '}
                <strong>{last === undefined ? '–' : text(last)}</strong>
              </div>
              <Sparkline points={points} label={label} />
            </>
          )
        }}
      </Panel>
    </div>
  )
}
