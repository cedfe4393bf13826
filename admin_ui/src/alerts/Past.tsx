import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { pastAlertsQuery } from '../api/alerts'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { AlertTable } from './AlertTable'

/** What fired and is over, the youngest first. */
export function Past({ namespace }: { namespace: string | undefined }) {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(pastAlertsQuery(namespace))
  return (
    <Panel asked={asked} height={240}>
      {({ pages }) => {
        const alerts = pages.flat()
        if (alerts.length === 0) return <Empty title={t('alerts.nonePast')} command="meshway alert list --past" />
        return (
          <>
            <AlertTable label={t('alerts.past')} alerts={alerts} />
            {asked.hasNextPage && (
              <Button
                mt="md"
                variant="default"
                loading={asked.isFetchingNextPage}
                onClick={() => void asked.fetchNextPage()}
              >
                {t('changes.older')}
              </Button>
            )}
          </>
        )
      }}
    </Panel>
  )
}
