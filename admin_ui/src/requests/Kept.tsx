import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { keptCallsQuery } from '../api/requests'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { CallTable } from './CallTable'

type Props = { filter: string; add: (field: string, value: string | number, isOut: boolean) => void }

/** Calls that the registry keeps for a day: failed and slow ones and a part of the rest. */
export function Kept({ filter, add }: Props) {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(keptCallsQuery(filter))
  return (
    <Panel asked={asked} height={320}>
      {({ pages }) => {
        const calls = pages.flatMap((page) => page.items)
        return (
          <>
            {calls.length === 0 ? (
              <Empty
                title={filter ? t('requests.noneFits') : t('requests.none')}
                command={`meshway tap${filter ? ` ${filter}` : ''}`}
              >
                <p>{t('requests.kept')}</p>
              </Empty>
            ) : (
              <CallTable
                label={t('nav.requests')}
                rows={calls.map((call, at) => ({ key: `${call.request_id}-${call.time}-${at}`, call }))}
                add={add}
              />
            )}
            <div style={{ display: 'flex', gap: 8, marginTop: 8 }}>
              <Button variant="default" loading={asked.isRefetching} onClick={() => void asked.refetch()}>
                {t('requests.again')}
              </Button>
              {asked.hasNextPage && (
                <Button variant="default" loading={asked.isFetchingNextPage} onClick={() => void asked.fetchNextPage()}>
                  {t('changes.older')}
                </Button>
              )}
            </div>
          </>
        )
      }}
    </Panel>
  )
}
