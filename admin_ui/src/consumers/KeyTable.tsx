import { Button } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { ConsumerKey, ConsumerUse } from '../api/consumers'
import { day } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'

type Props = {
  keys: readonly ConsumerKey[]
  use?: ConsumerUse
  /** undefined: whoever looks may not write. */
  rotate?: (key: ConsumerKey) => void
  revoke?: (key: ConsumerKey) => void
  action?: React.ReactNode
}

/** Every API key by what is known of it; the key itself is nowhere. */
export function KeyTable({ keys, use, rotate, revoke, action }: Props) {
  const { t, i18n } = useTranslation()
  const used = (id: string) => use?.credentials.find((one) => one.id === id)
  const isOver = (key: ConsumerKey) => !!key.expires && Date.parse(key.expires) <= Date.now()
  const columns: Column<ConsumerKey>[] = [
    { id: 'id', title: t('consumers.prefix'), sort: (one) => one.id, cell: (one) => <code>mw_{one.id}_…</code> },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => Number(isOver(one)),
      cell: (one) => (
        <Status health={isOver(one) ? 'idle' : 'ok'}>{t(isOver(one) ? 'tokens.over' : 'tokens.live')}</Status>
      ),
    },
    {
      id: 'created',
      title: t('tokens.made'),
      sort: (one) => one.created ?? '',
      cell: (one) => (one.created ? <Since at={Date.parse(one.created)} /> : '–'),
    },
    {
      id: 'used',
      title: t('consumers.lastUsed'),
      sort: (one) => used(one.id)?.last_used ?? 0,
      cell: (one) => {
        const at = used(one.id)?.last_used
        return at ? <Since at={at * 1000} /> : t('tokens.never')
      },
    },
    {
      id: 'calls',
      title: t('consumers.calls'),
      isNumber: true,
      sort: (one) => used(one.id)?.calls.calls ?? 0,
      cell: (one) => used(one.id)?.calls.calls ?? 0,
    },
    {
      id: 'expires',
      title: t('tokens.expires'),
      sort: (one) => one.expires ?? '9',
      cell: (one) => (one.expires ? day(Date.parse(one.expires), i18n.language) : t('tokens.never')),
    },
    ...(rotate && revoke
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: ConsumerKey) => (
              <span style={{ display: 'inline-flex', gap: 8 }}>
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={t('consumers.rotateKey', { id: one.id })}
                  onClick={() => rotate(one)}
                >
                  {t('consumers.rotate')}
                </Button>
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={t('tokens.revokeNamed', { name: one.id })}
                  onClick={() => revoke(one)}
                >
                  {t('tokens.revoke')}
                </Button>
              </span>
            ),
          },
        ]
      : []),
  ]
  return (
    <DataTable label={t('consumers.keys')} rows={keys} columns={columns} rowKey={(one) => one.id} actions={action} />
  )
}
