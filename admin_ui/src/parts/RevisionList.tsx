import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Revision } from '../api/revisions'
import { type Column, DataTable } from '../kit/DataTable'
import { Since } from '../kit/Since'

const TOLD = 3

/** Revisions with who made them, when, and what they touched. isShort: too few to be filtered. */
export function RevisionList({ revisions, isShort = false }: { revisions: readonly Revision[]; isShort?: boolean }) {
  const { t } = useTranslation()
  const columns: Column<Revision>[] = [
    {
      id: 'revision',
      title: t('changes.revision'),
      sort: (one) => one.revision,
      cell: (one) => (
        <Link to="/changes/$revision" params={{ revision: String(one.revision) }}>
          r{one.revision}
        </Link>
      ),
    },
    { id: 'at', title: t('changes.when'), sort: (one) => one.at, cell: (one) => <Since at={Date.parse(one.at)} /> },
    { id: 'by', title: t('changes.who'), sort: (one) => one.by, cell: (one) => one.by },
    {
      id: 'documents',
      title: t('changes.what'),
      isWide: true,
      cell: (one) => (
        <>
          {one.documents
            .slice(0, TOLD)
            .map((document) => `${document.result} ${document.kind} ${document.namespace}/${document.name}`)
            .join(' · ')}
          {one.documents.length > TOLD && ` · ${t('changes.more', { count: one.documents.length - TOLD })}`}
          {one.message && ` · “${one.message}”`}
        </>
      ),
    },
  ]
  return (
    <DataTable
      label={t('nav.changes')}
      rows={revisions}
      columns={columns}
      rowKey={(one) => String(one.revision)}
      text={isShort ? undefined : textOf}
    />
  )
}

function textOf({ revision, by, documents }: Revision): string {
  return `r${revision} ${by} ${documents.map((one) => `${one.kind} ${one.namespace}/${one.name}`).join(' ')}`
}
