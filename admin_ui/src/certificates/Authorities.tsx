import { Button } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Authority, Identity } from '../api/identity'
import { type Column, DataTable } from '../kit/DataTable'
import { Expiry } from './Expiry'

const YEAR_MS = 365 * 86_400_000
// As the registry makes them.
const LIVES_MS: Record<Authority['role'], number> = {
  root: 10 * YEAR_MS,
  intermediate: 90 * 86_400_000,
  token_key: YEAR_MS,
}

/** Root, intermediates and keys, those in force first; each chain can be taken along. */
export function Authorities({ identity }: { identity: Identity }) {
  const { t } = useTranslation()
  const { authorities } = identity
  const columns: Column<Authority>[] = [
    {
      id: 'role',
      title: t('certificates.role'),
      sort: (one) => one.role,
      cell: (one) => t(`certificates.roles.${one.role}`),
    },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => one.state,
      cell: (one) => t(`certificates.states.${one.state}`),
    },
    { id: 'id', title: 'id', cell: (one) => <code>{one.id}</code> },
    {
      id: 'issuer',
      title: t('certificates.issuer'),
      cell: (one) => (one.issuer ? <code>{one.issuer}</code> : '–'),
    },
    {
      id: 'expires',
      title: t('tokens.expires'),
      sort: (one) => one.not_after,
      cell: (one) => <Expiry at={one.not_after * 1000} life={LIVES_MS[one.role]} />,
    },
    { id: 'key', title: t('certificates.key'), cell: (one) => (one.has_key ? t('users.yes') : '–') },
    {
      id: 'actions',
      title: t('instances.actions'),
      cell: (one) => {
        const chain = chainOf(one, authorities)
        return (
          chain && (
            <Button
              size="compact-xs"
              variant="default"
              component="a"
              href={`data:application/x-pem-file,${encodeURIComponent(chain)}`}
              download={`${one.id}.pem`}
              aria-label={t('certificates.downloadNamed', { id: one.id })}
            >
              {t('certificates.download')}
            </Button>
          )
        )
      },
    },
  ]
  return (
    <>
      <h2 style={{ fontSize: 14 }}>{t('certificates.authorities')}</h2>
      <DataTable label={t('certificates.authorities')} rows={authorities} columns={columns} rowKey={(one) => one.id} />
    </>
  )
}

/** PEM: the certificate and those above it, up to the root; '': it has none. */
export function chainOf(one: Authority, authorities: readonly Authority[]): string {
  const above = authorities.find((other) => other.id === one.issuer && other.id !== one.id)
  return (one.certificate ?? '') + (above ? chainOf(above, authorities) : '')
}
