import { Button, Menu } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { changeUser, deleteUser, endSessions, resetUser, type User, usersQuery } from '../api/people'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'
import { type Link, LinkDialog } from './LinkDialog'
import { NewUser } from './NewUser'

type Doing = { user: User; what: 'disable' | 'enable' | 'delete' | 'reset' | 'sessions' }

/** The registry's own users, and what an admin does for them. */
export function Users() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may } = useRights()
  const asked = useQuery(usersQuery)
  const [isNew, setNew] = useState(false)
  const [doing, setDoing] = useState<Doing | null>(null)
  const [link, setLink] = useState<Link | null>(null)
  const mayWrite = may('users:write', '*')
  const name = doing?.user.name ?? ''

  async function act() {
    if (doing === null) return
    if (doing.what === 'delete') await deleteUser(name)
    else if (doing.what === 'sessions') await endSessions(name)
    else if (doing.what === 'reset') setLink({ name, path: (await resetUser(name)).link?.path ?? '' })
    else await changeUser(name, { is_disabled: doing.what === 'disable' })
    await client.invalidateQueries({ queryKey: keys.users })
    await client.invalidateQueries({ queryKey: keys.bindings })
  }

  return (
    <>
      <Panel asked={asked} height={200}>
        {(users) =>
          users.length === 0 ? (
            <Empty title={t('users.none')} command="meshway user create lin">
              {mayWrite && <Button onClick={() => setNew(true)}>{t('users.new')}</Button>}
            </Empty>
          ) : (
            <UserTable
              users={users}
              choose={mayWrite ? setDoing : undefined}
              add={mayWrite ? () => setNew(true) : undefined}
            />
          )
        }
      </Panel>
      <NewUser
        isOpen={isNew}
        close={() => setNew(false)}
        made={(one) => {
          setNew(false)
          setLink(one)
        }}
      />
      <LinkDialog link={link} close={() => setLink(null)} />
      <Confirm
        title={t(`users.${doing?.what ?? 'disable'}`)}
        action={t(`users.${doing?.what ?? 'disable'}`)}
        name={doing?.what === 'delete' ? name : undefined}
        isOpen={doing !== null}
        close={() => setDoing(null)}
        act={act}
      >
        {t(`users.${doing?.what ?? 'disable'}Effect`, { name })}
      </Confirm>
    </>
  )
}

type TableProps = { users: readonly User[]; choose?: (doing: Doing) => void; add?: () => void }

function UserTable({ users, choose, add }: TableProps) {
  const { t } = useTranslation()
  const columns: Column<User>[] = [
    { id: 'name', title: t('services.name'), sort: (one) => one.name, cell: (one) => one.name },
    { id: 'shown', title: t('users.shown'), isWide: true, cell: (one) => one.display_name || '–' },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => stateOf(one),
      cell: (one) => (
        <Status health={stateOf(one) === 'active' ? 'ok' : stateOf(one) === 'disabled' ? 'idle' : 'warn'}>
          {t(`users.${stateOf(one)}`)}
        </Status>
      ),
    },
    { id: 'totp', title: t('signIn.totp'), cell: (one) => (one.has_totp ? t('users.yes') : '–') },
    {
      id: 'seen',
      title: t('users.signedIn'),
      sort: (one) => one.signed_in_at ?? 0,
      cell: (one) => (one.signed_in_at ? <Since at={one.signed_in_at * 1000} /> : '–'),
    },
    ...(choose
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: User) => (
              <Menu position="bottom-end">
                <Menu.Target>
                  <Button size="compact-xs" variant="default" aria-label={t('instances.more', { id: one.name })}>
                    …
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  {(['reset', 'sessions', one.is_disabled ? 'enable' : 'disable', 'delete'] as const).map((what) => (
                    <Menu.Item key={what} onClick={() => choose({ user: one, what })}>
                      {t(`users.${what}`)}
                    </Menu.Item>
                  ))}
                </Menu.Dropdown>
              </Menu>
            ),
          },
        ]
      : []),
  ]
  return (
    <DataTable
      label={t('settings.users')}
      rows={users}
      columns={columns}
      rowKey={(one) => one.name}
      text={(one) => `${one.name} ${one.display_name ?? ''}`}
      actions={add && <Button onClick={add}>{t('users.new')}</Button>}
    />
  )
}

function stateOf(user: User): 'active' | 'disabled' | 'waiting' {
  if (user.is_disabled) return 'disabled'
  return user.has_password && !user.must_change ? 'active' : 'waiting'
}
