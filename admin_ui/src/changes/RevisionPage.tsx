import { SegmentedControl } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { differenceQuery, restore, revisionQuery } from '../api/revisions'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { FieldDiff } from '../kit/FieldDiff'
import { NeedsButton } from '../kit/Needs'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'

type Shown = 'changed' | 'since'

/** One revision: what it changed, what has changed since, and the way back to it. */
export function RevisionPage() {
  const { t } = useTranslation()
  const { revision } = useParams({ from: '/changes/$revision' })
  const number = revision.replace(/^r/, '')
  const { may, isReadOnly } = useRights()
  const asked = useQuery(revisionQuery(number))
  const since = useQuery(differenceQuery(number))
  const [shown, setShown] = useState<Shown>('changed')
  const [isOpen, setOpen] = useState(false)
  const [done, setDone] = useState<number | null>(null)
  const client = useQueryClient()
  const back = (since.data?.documents ?? []).map(reversed)

  async function goBack() {
    const applied = await restore(number, since.data?.to ?? 0)
    setDone(applied.revision)
    await client.invalidateQueries()
  }

  return (
    <>
      <PageHead title={`r${number}`} command={`meshway rollback r${number}`}>
        {!isReadOnly && (
          <NeedsButton
            may={may('documents:write', '*')}
            right="documents:write"
            namespace="*"
            variant="default"
            disabled={back.length === 0}
            onClick={() => setOpen(true)}
          >
            {t('changes.restore')}
          </NeedsButton>
        )}
      </PageHead>
      {done !== null && (
        <p role="status">
          {t('changes.restored', { revision: number })}{' '}
          <Link to="/changes/$revision" params={{ revision: String(done) }}>
            r{done}
          </Link>
        </p>
      )}
      <Panel asked={asked} height={160}>
        {(entry) => (
          <>
            <p>
              {entry.by} · <Since at={Date.parse(entry.at)} />
              {entry.message && ` · “${entry.message}”`}
              {entry.change && (
                <>
                  {' · '}
                  <Link to="/changes/$revision" params={{ revision: `d${entry.change}` }}>
                    {t('drafts.asChange', { id: entry.change })}
                  </Link>
                </>
              )}
            </p>
            <SegmentedControl
              mb="md"
              size="xs"
              aria-label={t('changes.compare')}
              value={shown}
              onChange={(value) => setShown(value as Shown)}
              data={[
                { value: 'changed', label: t('changes.itChanged') },
                { value: 'since', label: t('changes.changedSince') },
              ]}
            />
            {shown === 'changed' ? (
              <FieldDiff documents={entry.documents} />
            ) : (
              <Panel asked={since}>
                {(difference) =>
                  difference.documents.length === 0 ? (
                    <p>{t('changes.nothingSince')}</p>
                  ) : (
                    <FieldDiff documents={difference.documents} />
                  )
                }
              </Panel>
            )}
          </>
        )}
      </Panel>
      <Confirm
        title={t('changes.restoreTitle', { revision: number })}
        action={t('changes.restore')}
        name={back.some((one) => one.result === 'deleted') ? `r${number}` : undefined}
        isOpen={isOpen}
        close={() => setOpen(false)}
        act={goBack}
      >
        <p>{t('changes.restoreEffect')}</p>
        <FieldDiff documents={back} />
      </Confirm>
    </>
  )
}

type Changed = {
  kind: string
  namespace: string
  name: string
  result: string
  changes?: { path: string; from?: unknown; to?: unknown }[]
}

/** What going back does: what came since goes, what went comes back. */
function reversed(document: Changed) {
  const results: Record<string, string> = { created: 'deleted', deleted: 'created' }
  return {
    ...document,
    result: results[document.result] ?? document.result,
    changes: document.changes?.map(({ path, from, to }) => ({ path, from: to, to: from })),
  }
}
