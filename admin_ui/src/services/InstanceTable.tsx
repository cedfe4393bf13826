import { Button, Group, Menu } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { gatewaysQuery } from '../api/gateways'
import type { Instance } from '../api/services'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Problem, told } from '../kit/Problem'
import { Status } from '../kit/Status'
import { STATUS_HEALTH } from '../parts/serviceHealth'
import { Applied } from './Applied'
import { DeregisterDialog } from './DeregisterDialog'
import { Lease } from './Lease'
import { useStatusOf } from './useStatusOf'
import { WeightDialog } from './WeightDialog'

type Props = { namespace: string; service: string; instances: readonly Instance[] }
type Open = { instance: Instance; what: 'weight' | 'deregister' } | null

/** Each instance: what was asked of it, what gateways make of it, its lease; and what can be done with it. */
export function InstanceTable({ namespace, service, instances }: Props) {
  const { t } = useTranslation()
  const { may, session } = useRights()
  const gateways = useQuery({ ...gatewaysQuery, enabled: may('gateways:read', '*') })
  const [open, setOpen] = useState<Open>(null)
  const patch = useStatusOf(namespace, service)
  const isOwn = session.service === `${namespace}/${service}`
  const mayDrain = may('instances:drain', namespace) || isOwn
  const mayWrite = may('instances:write', namespace) || isOwn

  if (instances.length === 0) {
    return (
      <Empty title={t('services.noInstances')} command={`meshway register ${service} -n ${namespace} --port 9080`} />
    )
  }
  const columns: Column<Instance>[] = [
    { id: 'id', title: 'id', sort: (one) => one.id, cell: (one) => one.id },
    {
      id: 'address',
      title: t('instances.address'),
      sort: (one) => one.address,
      cell: (one) => `${one.address}:${one.port}`,
    },
    { id: 'version', title: t('instances.version'), sort: (one) => one.version, cell: (one) => one.version || '–' },
    { id: 'zone', title: t('instances.zone'), sort: (one) => one.zone, cell: (one) => one.zone || '–' },
    {
      id: 'status',
      title: t('instances.asked'),
      sort: (one) => one.status,
      cell: (one) => <Status health={STATUS_HEALTH[one.status] ?? 'unknown'}>{t(`status.${one.status}`)}</Status>,
    },
    ...(gateways.data
      ? [
          {
            id: 'applied',
            title: t('instances.applied'),
            cell: (one: Instance) => <Applied instance={one} gateways={gateways.data} />,
          },
        ]
      : []),
    {
      id: 'lease',
      title: t('instances.lease'),
      sort: (one) => one.expires_in_s ?? 1e9,
      cell: (one) => <Lease instance={one} />,
    },
    {
      id: 'weight',
      title: t('instances.weight'),
      isNumber: true,
      sort: (one) => one.weight,
      cell: (one) => one.weight,
    },
    ...(mayDrain || mayWrite
      ? [
          {
            id: 'actions',
            title: t('instances.actions'),
            cell: (one: Instance) => (
              <Group gap={4} wrap="nowrap">
                {one.status === 'passing' || one.status === 'critical' ? (
                  <Button
                    size="compact-xs"
                    variant="default"
                    onClick={() => patch.mutate({ id: one.id, status: 'draining' })}
                  >
                    {t('instances.drain')}
                  </Button>
                ) : (
                  <Button
                    size="compact-xs"
                    variant="default"
                    onClick={() => patch.mutate({ id: one.id, status: 'passing' })}
                  >
                    {t('instances.resume')}
                  </Button>
                )}
                <Menu position="bottom-end">
                  <Menu.Target>
                    <Button size="compact-xs" variant="default" aria-label={t('instances.more', { id: one.id })}>
                      …
                    </Button>
                  </Menu.Target>
                  <Menu.Dropdown>
                    {one.status !== 'maintenance' && (
                      <Menu.Item onClick={() => patch.mutate({ id: one.id, status: 'maintenance' })}>
                        {t('instances.maintenance')}
                      </Menu.Item>
                    )}
                    {mayWrite && (
                      <Menu.Item onClick={() => setOpen({ instance: one, what: 'weight' })}>
                        {t('instances.setWeight')}
                      </Menu.Item>
                    )}
                    {mayWrite && (
                      <Menu.Item onClick={() => setOpen({ instance: one, what: 'deregister' })}>
                        {t('instances.deregister')}
                      </Menu.Item>
                    )}
                  </Menu.Dropdown>
                </Menu>
              </Group>
            ),
          },
        ]
      : []),
  ]
  return (
    <>
      {patch.error && <Problem problem={told(patch.error)} />}
      <DataTable
        label={t('services.instances')}
        rows={instances}
        columns={columns}
        rowKey={(one) => one.id}
        text={(one) => `${one.id} ${one.address} ${one.version} ${one.zone} ${one.status} ${one.tags.join(' ')}`}
      />
      <WeightDialog instance={open?.what === 'weight' ? open.instance : null} close={() => setOpen(null)} />
      <DeregisterDialog instance={open?.what === 'deregister' ? open.instance : null} close={() => setOpen(null)} />
    </>
  )
}
