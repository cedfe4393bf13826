import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '../api/client'
import { type Document, documentsQuery } from '../api/documents'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { useNamespace } from '../shell/useNamespace'
import { Expiry } from './Expiry'

type Told = Schemas['CertificateStatus']
// What is brought by files or Secrets is most often good for ninety days.
const LIFE_MS = 90 * 86_400_000

function statusOf(document: Document): Told | undefined {
  return (document as Document & { status?: Told | null }).status ?? undefined
}

/** What gateways show callers of themselves, by documents of kind Certificate. */
export function Shown() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const asked = useQuery(documentsQuery('Certificate'))
  const columns: Column<Document>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: (one) => one.metadata.name,
      cell: ({ metadata }) => (
        <Link
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'Certificate', namespace: metadata.namespace ?? 'default', name: metadata.name }}
        >
          {metadata.namespace}/{metadata.name}
        </Link>
      ),
    },
    {
      id: 'hosts',
      title: t('certificates.hosts'),
      isWide: true,
      cell: (one) => ((one.spec as { hosts?: string[] }).hosts ?? []).join(', ') || '–',
    },
    { id: 'issuer', title: t('certificates.issuer'), isWide: true, cell: (one) => statusOf(one)?.issuer ?? '–' },
    {
      id: 'expires',
      title: t('tokens.expires'),
      sort: (one) => statusOf(one)?.not_after ?? '',
      cell: (one) => {
        const status = statusOf(one)
        return status ? <Expiry at={Date.parse(status.not_after)} life={lifeOf(one)} /> : t('certificates.notYet')
      },
    },
    { id: 'gateways', title: t('certificates.shownBy'), cell: (one) => statusOf(one)?.gateways ?? '–' },
  ]
  return (
    <>
      <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('certificates.shown')}</h2>
      <Panel asked={asked} height={120}>
        {(all) => {
          const rows = namespace ? all.filter((one) => one.metadata.namespace === namespace) : all
          return rows.length === 0 ? (
            <Empty title={t('certificates.noneShown')} command="meshway apply -f certificate.yaml" />
          ) : (
            <DataTable
              label={t('certificates.shown')}
              rows={rows}
              columns={columns}
              rowKey={({ metadata }) => `${metadata.namespace}/${metadata.name}`}
            />
          )
        }}
      </Panel>
    </>
  )
}

/** Those of the mesh live as long as they say, a day unless told. */
function lifeOf(document: Document): number {
  return 'mesh_ca' in document.spec ? 86_400_000 : LIFE_MS
}
