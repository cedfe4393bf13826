import { Button, Checkbox } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Certificate, certificatesQuery, revoke } from '../api/identity'
import { keys } from '../api/keys'
import { Confirm } from '../kit/Confirm'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { Expiry } from './Expiry'

/** One of them, or all of its subject. */
type Revoked = { one: Certificate; isAll: boolean }

function stateOf(one: Certificate): 'revoked' | 'replaced' | 'over' | 'live' {
  if (one.revoked_at) return 'revoked'
  if (one.replaced_at) return 'replaced'
  return one.not_after * 1000 <= Date.now() ? 'over' : 'live'
}

/** The certificates of services and gateways, by whose they are. */
export function Issued({ mayWrite }: { mayWrite: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const asked = useInfiniteQuery(certificatesQuery)
  const [isAllShown, setAllShown] = useState(false)
  const [revoked, setRevoked] = useState<Revoked | null>(null)
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
              <CertificateTable
                rows={isAllShown ? rows : rows.filter((one) => stateOf(one) === 'live')}
                revoke={mayWrite ? setRevoked : undefined}
                actions={
                  <Checkbox
                    label={t('certificates.showAll')}
                    checked={isAllShown}
                    onChange={(event) => setAllShown(event.currentTarget.checked)}
                  />
                }
              />
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
        title={t(revoked?.isAll ? 'certificates.revokeAll' : 'tokens.revoke')}
        action={t(revoked?.isAll ? 'certificates.revokeAll' : 'tokens.revoke')}
        isOpen={revoked !== null}
        close={() => setRevoked(null)}
        act={async () => {
          if (revoked) await revoke(revoked.isAll ? { subject: revoked.one.subject } : { serial: revoked.one.serial })
          await client.invalidateQueries({ queryKey: keys.identity })
        }}
      >
        {t(revoked?.isAll ? 'certificates.revokeAllEffect' : 'certificates.revokeEffect', {
          subject: revoked?.one.subject ?? '',
        })}
      </Confirm>
    </>
  )
}

type TableProps = {
  rows: readonly Certificate[]
  revoke?: (revoked: Revoked) => void
  actions: React.ReactNode
}

function CertificateTable({ rows, revoke, actions }: TableProps) {
  const { t } = useTranslation()
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
      cell: (one) => <Expiry at={one.not_after * 1000} life={(one.not_after - one.not_before) * 1000} />,
    },
    { id: 'authority', title: t('certificates.issuer'), cell: (one) => <code>{one.authority}</code> },
    { id: 'by', title: t('tokens.made'), cell: (one) => one.issued_by },
    ...(revoke
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: Certificate) =>
              stateOf(one) === 'live' && (
                <span style={{ display: 'inline-flex', gap: 8 }}>
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={t('tokens.revokeNamed', { name: one.serial })}
                    onClick={() => revoke({ one, isAll: false })}
                  >
                    {t('tokens.revoke')}
                  </Button>
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={t('certificates.revokeAllNamed', { subject: one.subject, serial: one.serial })}
                    onClick={() => revoke({ one, isAll: true })}
                  >
                    {t('certificates.revokeAll')}
                  </Button>
                </span>
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
      actions={actions}
    />
  )
}
