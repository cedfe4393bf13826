import { Button } from '@mantine/core'
import { infiniteQueryOptions, queryOptions, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiProblem, api, type Schemas, take } from '../api/client'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { day } from '../i18n/format'
import { Confirm } from '../kit/Confirm'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { type Health, Status } from '../kit/Status'

type Authority = Schemas['AuthorityShown']
type Certificate = Schemas['CertificateShown']

const PAGE = 200
const DAY_MS = 86_400_000
const SOON_DAYS = 30

/** null: there is no authority yet. */
const identityQuery = queryOptions({
  queryKey: keys.identity,
  queryFn: async () => {
    try {
      return await take(api.GET('/v1/identity'))
    } catch (problem) {
      if (problem instanceof ApiProblem && problem.status === 409) return null
      throw problem
    }
  },
})

const certificatesQuery = infiniteQueryOptions({
  queryKey: [...keys.identity, 'certificates'],
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam }) =>
    take(api.GET('/v1/identity/certificates', { params: { query: { limit: PAGE, cursor: pageParam } } })),
  getNextPageParam: (page) => page.next ?? undefined,
})

/** What expires, and by whose authority it was issued. */
export function CertificatesPage() {
  const { t } = useTranslation()
  const asked = useQuery(identityQuery)
  return (
    <>
      <PageHead title={t('nav.certificates')} command="meshway ca show" />
      <Panel asked={asked} height={200}>
        {(identity) =>
          identity === null ? (
            <Empty title={t('certificates.noAuthority')} command="meshway ca init" />
          ) : (
            <>
              <p>
                {t('certificates.domain')} <code>{identity.trust_domain}</code> · {t('certificates.rotation')}{' '}
                {identity.phase}
                {identity.waits_for.length > 0 &&
                  ` · ${t('certificates.waits', { nodes: identity.waits_for.join(', ') })}`}
              </p>
              <h2 style={{ fontSize: 14 }}>{t('certificates.authorities')}</h2>
              <Authorities authorities={identity.authorities} />
              <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('certificates.issued')}</h2>
              <Issued />
            </>
          )
        }
      </Panel>
    </>
  )
}

function healthOf(notAfter_s: number): Health {
  const left = notAfter_s * 1000 - Date.now()
  if (left <= 0) return 'bad'
  return left < SOON_DAYS * DAY_MS ? 'warn' : 'ok'
}

function Authorities({ authorities }: { authorities: readonly Authority[] }) {
  const { t, i18n } = useTranslation()
  const columns: Column<Authority>[] = [
    { id: 'role', title: t('certificates.role'), sort: (one) => one.role, cell: (one) => one.role },
    { id: 'state', title: t('gateways.state'), sort: (one) => one.state, cell: (one) => one.state },
    { id: 'id', title: 'id', cell: (one) => <code>{one.id}</code> },
    { id: 'issuer', title: t('certificates.issuer'), isWide: true, cell: (one) => one.issuer || '–' },
    {
      id: 'expires',
      title: t('tokens.expires'),
      sort: (one) => one.not_after,
      cell: (one) => <Status health={healthOf(one.not_after)}>{day(one.not_after * 1000, i18n.language)}</Status>,
    },
    { id: 'key', title: t('certificates.key'), cell: (one) => (one.has_key ? t('users.yes') : '–') },
  ]
  return (
    <DataTable label={t('certificates.authorities')} rows={authorities} columns={columns} rowKey={(one) => one.id} />
  )
}

function stateOf(one: Certificate): 'revoked' | 'replaced' | 'over' | 'live' {
  if (one.revoked_at) return 'revoked'
  if (one.replaced_at) return 'replaced'
  return one.not_after * 1000 <= Date.now() ? 'over' : 'live'
}

function Issued() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may } = useRights()
  const asked = useInfiniteQuery(certificatesQuery)
  const [revoked, setRevoked] = useState<Certificate | null>(null)
  return (
    <>
      <Panel asked={asked} height={160}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items)
          if (rows.length === 0) {
            return <Empty title={t('certificates.none')} command="meshway token create --enrol default/books" />
          }
          return (
            <>
              <CertificateTable rows={rows} revoke={may('identity:write', '*') ? setRevoked : undefined} />
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
      <Confirm
        title={t('tokens.revoke')}
        action={t('tokens.revoke')}
        isOpen={revoked !== null}
        close={() => setRevoked(null)}
        act={async () => {
          if (revoked) await take(api.POST('/v1/identity/revocations', { body: { serial: revoked.serial } }))
          await client.invalidateQueries({ queryKey: keys.identity })
        }}
      >
        {t('certificates.revokeEffect', { subject: revoked?.subject ?? '' })}
      </Confirm>
    </>
  )
}

function CertificateTable({ rows, revoke }: { rows: readonly Certificate[]; revoke?: (one: Certificate) => void }) {
  const { t, i18n } = useTranslation()
  const columns: Column<Certificate>[] = [
    { id: 'subject', title: t('certificates.subject'), sort: (one) => one.subject, cell: (one) => one.subject },
    { id: 'serial', title: t('certificates.serial'), cell: (one) => <code>{one.serial}</code> },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => stateOf(one),
      cell: (one) => (
        <Status health={stateOf(one) === 'live' ? 'ok' : 'idle'}>
          {t(`certificates.${stateOf(one)}`)} {one.reason}
        </Status>
      ),
    },
    {
      id: 'expires',
      title: t('tokens.expires'),
      sort: (one) => one.not_after,
      cell: (one) => day(one.not_after * 1000, i18n.language),
    },
    { id: 'by', title: t('tokens.made'), cell: (one) => one.issued_by },
    ...(revoke
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: Certificate) =>
              stateOf(one) === 'live' && (
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={t('tokens.revokeNamed', { name: one.serial })}
                  onClick={() => revoke(one)}
                >
                  {t('tokens.revoke')}
                </Button>
              ),
          },
        ]
      : []),
  ]
  return (
    <DataTable
      label={t('certificates.issued')}
      rows={rows}
      columns={columns}
      rowKey={(one) => one.serial}
      text={(one) => `${one.subject} ${one.serial} ${stateOf(one)}`}
    />
  )
}
