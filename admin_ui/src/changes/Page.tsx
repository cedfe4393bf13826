import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { revisionsQuery } from '../api/revisions'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { RevisionList } from '../parts/RevisionList'
import { useNamespace } from '../shell/useNamespace'
import { OpenChanges } from './OpenChanges'

/** What changed, when, and by whom. */
export function ChangesPage() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const asked = useInfiniteQuery(revisionsQuery)
  return (
    <>
      <PageHead title={t('nav.changes')} command="meshway history" />
      <OpenChanges namespace={namespace} />
      <h2 style={{ fontSize: 14 }}>{t('drafts.published')}</h2>
      <Panel asked={asked} height={320}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.items)
          const shown = namespace
            ? all.filter((one) => one.documents.some((each) => each.namespace === namespace))
            : all
          if (all.length === 0) return <Empty title={t('changes.none')} command="meshway apply -f routes.yaml" />
          return (
            <>
              <RevisionList revisions={shown} />
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
    </>
  )
}
