import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { logsQuery } from '../api/logs'
import { Panel } from '../kit/Panel'
import { LogLines } from '../parts/LogLines'

/** What services wrote while they served this trace's calls: the first page of it, in the order of time. */
export function TraceLogs({ id }: { id: string }) {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(logsQuery({ trace_id: id }))
  return (
    <section className="panel" aria-label={t('logs.ofTrace')}>
      <h2>{t('logs.ofTrace')}</h2>
      <Panel asked={asked} height={80}>
        {({ pages }) => {
          const lines = pages.flatMap((page) => page.items).toReversed()
          return lines.length === 0 ? (
            <p style={{ margin: 0 }}>{t('logs.noneOfTrace')}</p>
          ) : (
            <LogLines label={t('logs.ofTrace')} lines={lines} hasService />
          )
        }}
      </Panel>
    </section>
  )
}
