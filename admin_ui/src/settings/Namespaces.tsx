import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Document, documentsQuery } from '../api/documents'
import { namespacesQuery } from '../api/namespaces'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Panel } from '../kit/Panel'
import { LinkButton } from '../shell/LinkButton'

type Spec = { owner?: string; description?: string; contacts?: string[] }
type Row = { name: string; isPaused: boolean; document?: Document }

/** Every namespace that may be read, whose it is, and the document that says so. */
export function Namespaces() {
  const { t } = useTranslation()
  const { isReadOnly, maySomewhere } = useRights()
  const asked = useQuery(namespacesQuery)
  const documents = useQuery(documentsQuery('Namespace'))
  const specOf = (row: Row) => (row.document?.spec ?? {}) as Spec
  const columns: Column<Row>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: (one) => one.name,
      cell: (one) => (
        <Link to="/services" search={{ namespace: one.name }}>
          {one.name}
        </Link>
      ),
    },
    {
      id: 'owner',
      title: t('services.owner'),
      sort: (one) => specOf(one).owner ?? '',
      cell: (one) => specOf(one).owner ?? '–',
    },
    { id: 'about', title: t('services.about'), isWide: true, cell: (one) => specOf(one).description ?? '–' },
    {
      id: 'expiry',
      title: t('settings.expiry'),
      cell: (one) => t(one.isPaused ? 'settings.paused' : 'settings.usual'),
    },
    {
      id: 'document',
      title: t('settings.document'),
      cell: (one) =>
        one.document ? (
          <Link
            to="/policies/$kind/$namespace/$name"
            params={{
              kind: 'Namespace',
              namespace: one.document.metadata.namespace ?? one.name,
              name: one.document.metadata.name,
            }}
          >
            {one.document.metadata.name}
          </Link>
        ) : (
          '–'
        ),
    },
  ]
  return (
    <Panel asked={asked} height={200}>
      {(namespaces) => (
        <DataTable
          label={t('settings.namespaces')}
          rows={namespaces.map((one) => ({
            name: one.name,
            isPaused: one.self_preservation.length > 0,
            document: documents.data?.find(({ metadata }) => metadata.name === one.name),
          }))}
          columns={columns}
          rowKey={(one) => one.name}
          text={(one) => `${one.name} ${specOf(one).owner ?? ''}`}
          actions={
            !isReadOnly &&
            maySomewhere('documents:write') && (
              <LinkButton
                to="/policies/$kind/$namespace/$name"
                params={{ kind: 'Namespace', namespace: 'mesh', name: '+' }}
              >
                {t('policies.new', { kind: 'Namespace' })}
              </LinkButton>
            )
          }
        />
      )}
    </Panel>
  )
}
