import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Change, openChangesQuery } from '../api/changes'
import { type Column, DataTable } from '../kit/DataTable'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'

/** Drafts and what is in review: changes that are not published. */
export function OpenChanges({ namespace }: { namespace: string | undefined }) {
  const { t } = useTranslation()
  const asked = useQuery(openChangesQuery)
  const columns: Column<Change>[] = [
    {
      id: 'title',
      title: t('drafts.title'),
      isWide: true,
      sort: (one) => one.title,
      cell: (one) => (
        <Link to="/changes/$revision" params={{ revision: `d${one.id}` }}>
          {one.title}
        </Link>
      ),
    },
    { id: 'state', title: t('drafts.state'), sort: (one) => one.state, cell: (one) => t(`drafts.states.${one.state}`) },
    { id: 'by', title: t('changes.who'), sort: (one) => one.author, cell: (one) => one.editors.join(', ') },
    {
      id: 'approvals',
      title: t('drafts.approvals'),
      isNumber: true,
      cell: (one) => `${one.approvals_given}/${one.approvals_needed}`,
    },
    {
      id: 'at',
      title: t('changes.when'),
      sort: (one) => one.updated_at,
      cell: (one) => <Since at={Date.parse(one.updated_at)} />,
    },
  ]
  return (
    <section aria-label={t('drafts.open')} style={{ marginBottom: 24 }}>
      <h2 style={{ fontSize: 14 }}>{t('drafts.open')}</h2>
      <Panel asked={asked} height={60}>
        {(all) => {
          const shown = all.filter((one) => !namespace || one.documents.some((each) => each.namespace === namespace))
          if (shown.length === 0) return <p style={{ margin: 0 }}>{t('drafts.none')}</p>
          return <DataTable label={t('drafts.open')} rows={shown} columns={columns} rowKey={(one) => one.id} />
        }}
      </Panel>
    </section>
  )
}
