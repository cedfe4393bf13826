import { Button } from '@mantine/core'
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, type Schemas, take } from '../api/client'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'
import { NewToken } from './NewToken'

type Token = Schemas['Token']

const tokensQuery = queryOptions({
  queryKey: keys.tokens,
  queryFn: async () => (await take(api.GET('/v1/tokens'))).items,
})

/** Every token by what is known of it; the token itself is nowhere. */
export function Tokens() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { isReadOnly, maySomewhere } = useRights()
  const asked = useQuery(tokensQuery)
  const [isNew, setNew] = useState(false)
  const [revoked, setRevoked] = useState<Token | null>(null)
  const mayWrite = !isReadOnly && maySomewhere('tokens:write')
  const action = mayWrite && <Button onClick={() => setNew(true)}>{t('tokens.new')}</Button>

  return (
    <>
      <Panel asked={asked} height={200}>
        {(tokens) =>
          tokens.length === 0 ? (
            <Empty title={t('tokens.none')} command="meshway token create ci --role editor -n default">
              {action}
            </Empty>
          ) : (
            <TokenTable tokens={tokens} action={action} revoke={mayWrite ? setRevoked : undefined} />
          )
        }
      </Panel>
      <NewToken isOpen={isNew} close={() => setNew(false)} />
      <Confirm
        title={t('tokens.revoke')}
        action={t('tokens.revoke')}
        isOpen={revoked !== null}
        close={() => setRevoked(null)}
        act={async () => {
          if (revoked) await take(api.DELETE('/v1/tokens/{token}', { params: { path: { token: revoked.id } } }))
          await client.invalidateQueries({ queryKey: keys.tokens })
        }}
      >
        {t('tokens.revokeEffect', { name: revoked?.name ?? '' })}
      </Confirm>
    </>
  )
}

function TokenTable({
  tokens,
  action,
  revoke,
}: {
  tokens: readonly Token[]
  action: React.ReactNode
  revoke?: (token: Token) => void
}) {
  const { t } = useTranslation()
  const now = Date.now()
  const isLive = (one: Token) => !one.revoked_at && !(one.expires_at && one.expires_at * 1000 < now)
  const columns: Column<Token>[] = [
    { id: 'name', title: t('services.name'), sort: (one) => one.name, cell: (one) => one.name },
    { id: 'id', title: 'id', cell: (one) => <code>{one.id}</code> },
    {
      id: 'may',
      title: t('tokens.may'),
      isWide: true,
      cell: (one) =>
        [
          ...one.grants.map((grant) => `${grant.role} ${grant.namespace === '*' ? '*' : grant.namespace}`),
          ...(one.service ? [`service ${one.service}`] : []),
        ].join(', '),
    },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => (isLive(one) ? 0 : 1),
      cell: (one) => (
        <Status health={isLive(one) ? 'ok' : 'idle'}>
          {one.revoked_at ? t('tokens.revoked') : isLive(one) ? t('tokens.live') : t('tokens.over')}
        </Status>
      ),
    },
    {
      id: 'expires',
      title: t('tokens.expires'),
      sort: (one) => one.expires_at ?? Number.MAX_VALUE,
      cell: (one) => (one.expires_at ? <Since at={one.expires_at * 1000} /> : t('tokens.never')),
    },
    {
      id: 'made',
      title: t('tokens.made'),
      sort: (one) => one.created_at,
      cell: (one) => (
        <>
          <Since at={one.created_at * 1000} /> {one.created_by}
        </>
      ),
    },
    ...(revoke
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: Token) =>
              isLive(one) && (
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={t('tokens.revokeNamed', { name: one.name })}
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
      label={t('settings.tokens')}
      rows={tokens}
      columns={columns}
      rowKey={(one) => one.id}
      text={(one) => `${one.name} ${one.id} ${one.service ?? ''} ${one.grants.map((each) => each.role).join(' ')}`}
      actions={action}
    />
  )
}
