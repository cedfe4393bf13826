import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { type Binding, bindingsQuery, unbind } from '../api/people'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'
import { NewBinding } from './NewBinding'
import { RoleMatrix } from './RoleMatrix'

/** Who holds which role where: users, and groups of OpenID providers. */
export function Bindings() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { isReadOnly, maySomewhere } = useRights()
  const asked = useQuery(bindingsQuery)
  const [isNew, setNew] = useState(false)
  const [taken, setTaken] = useState<Binding | null>(null)
  const mayWrite = !isReadOnly && maySomewhere('bindings:write')
  const action = mayWrite && <Button onClick={() => setNew(true)}>{t('roles.new')}</Button>
  const columns: Column<Binding>[] = [
    { id: 'subject', title: t('roles.subject'), sort: (one) => one.subject, cell: (one) => one.subject },
    { id: 'kind', title: t('policies.kind'), sort: (one) => one.kind, cell: (one) => t(`roles.${one.kind}`) },
    { id: 'role', title: t('tokens.role'), sort: (one) => one.role, cell: (one) => one.role },
    {
      id: 'namespace',
      title: t('shell.namespace'),
      sort: (one) => one.namespace,
      cell: (one) => (one.namespace === '*' ? t('shell.allNamespaces') : one.namespace),
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
    ...(mayWrite
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: Binding) => (
              <Button
                size="compact-xs"
                variant="default"
                aria-label={t('roles.takeNamed', { subject: one.subject, role: one.role })}
                onClick={() => setTaken(one)}
              >
                {t('roles.take')}
              </Button>
            ),
          },
        ]
      : []),
  ]
  return (
    <>
      <Panel asked={asked} height={200}>
        {(bindings) =>
          bindings.length === 0 ? (
            <Empty title={t('roles.none')} command="meshway user bind lin editor -n default">
              {action}
            </Empty>
          ) : (
            <DataTable
              label={t('settings.roles')}
              rows={bindings}
              columns={columns}
              rowKey={(one) => one.id}
              text={(one) => `${one.subject} ${one.role} ${one.namespace}`}
              actions={action}
            />
          )
        }
      </Panel>
      <RoleMatrix />
      <NewBinding isOpen={isNew} close={() => setNew(false)} />
      <Confirm
        title={t('roles.take')}
        action={t('roles.take')}
        isOpen={taken !== null}
        close={() => setTaken(null)}
        act={async () => {
          if (taken) await unbind(taken.id)
          await client.invalidateQueries({ queryKey: keys.bindings })
        }}
      >
        {t('roles.takeEffect', { subject: taken?.subject ?? '', role: taken?.role ?? '' })}
      </Confirm>
    </>
  )
}
