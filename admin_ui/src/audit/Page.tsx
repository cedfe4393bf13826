import { Button } from '@mantine/core'
import { infiniteQueryOptions, useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { api, type Schemas, take } from '../api/client'
import { keys } from '../api/keys'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'

type Row = Schemas['AuditRow']

const PAGE = 200

const auditQuery = infiniteQueryOptions({
  queryKey: keys.audit,
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam }) => take(api.GET('/v1/audit', { params: { query: { limit: PAGE, cursor: pageParam } } })),
  getNextPageParam: (page) => page.next ?? undefined,
})

/** Who did what, and who was denied it. */
export function AuditPage() {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(auditQuery)
  return (
    <>
      <PageHead title={t('nav.audit')} command="meshway audit list">
        <Button
          variant="default"
          component="a"
          href={exported(asked.data?.pages.flatMap((page) => page.items) ?? [])}
          download="audit.jsonl"
        >
          {t('audit.export')}
        </Button>
      </PageHead>
      <p>
        {t('audit.chain')} <code>meshway audit verify</code>
      </p>
      <Panel asked={asked} height={320}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items)
          if (rows.length === 0) return <Empty title={t('audit.none')} />
          return (
            <>
              <AuditTable rows={rows} />
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

function AuditTable({ rows }: { rows: readonly Row[] }) {
  const { t } = useTranslation()
  const columns: Column<Row>[] = [
    { id: 'seq', title: t('audit.row'), isNumber: true, sort: (one) => one.seq, cell: (one) => one.seq },
    { id: 'at', title: t('changes.when'), sort: (one) => one.at, cell: (one) => <Since at={one.at * 1000} /> },
    { id: 'principal', title: t('changes.who'), sort: (one) => one.principal, cell: (one) => one.principal },
    { id: 'address', title: t('instances.address'), sort: (one) => one.address, cell: (one) => one.address },
    { id: 'action', title: t('audit.action'), isWide: true, sort: (one) => one.action, cell: (one) => one.action },
    {
      id: 'outcome',
      title: t('audit.outcome'),
      sort: (one) => one.outcome,
      cell: (one) => <Status health={one.outcome === 'done' ? 'ok' : 'bad'}>{t(`audit.${one.outcome}`)}</Status>,
    },
    {
      id: 'revision',
      title: t('changes.revision'),
      isNumber: true,
      sort: (one) => one.revision ?? 0,
      cell: (one) =>
        one.revision ? (
          <Link to="/changes/$revision" params={{ revision: String(one.revision) }}>
            r{one.revision}
          </Link>
        ) : (
          '–'
        ),
    },
  ]
  return (
    <DataTable
      label={t('nav.audit')}
      rows={rows}
      columns={columns}
      rowKey={(one) => String(one.seq)}
      text={(one) => `${one.principal} ${one.address} ${one.action} ${one.outcome}`}
    />
  )
}

/** The rows that are shown, one JSON document a line. */
function exported(rows: readonly Row[]): string {
  return URL.createObjectURL(
    new Blob(
      rows.map((row) => `${JSON.stringify(row)}\n`),
      { type: 'application/jsonl' },
    ),
  )
}
