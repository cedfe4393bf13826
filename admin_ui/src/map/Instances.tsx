import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { type Instance, instancesQuery } from '../api/services'
import { useRights } from '../api/session'
import { Panel } from '../kit/Panel'
import { Problem, told } from '../kit/Problem'
import { Status } from '../kit/Status'
import { STATUS_HEALTH } from '../parts/serviceHealth'
import { useStatusOf } from '../services/useStatusOf'

const MOST = 10

/** Instances of the picked service, each of which can be drained from here; the service's page has all about them. */
export function Instances({ service }: { service: string }) {
  const { t } = useTranslation()
  const [namespace = '', name = ''] = service.split('/')
  const { may, isReadOnly } = useRights()
  const asked = useQuery({ ...instancesQuery(namespace, name), enabled: may('instances:read', namespace) })
  const patch = useStatusOf(namespace, name)
  if (!may('instances:read', namespace)) return null
  const mayDrain = may('instances:drain', namespace) && !isReadOnly
  const one = (instance: Instance) => (
    <li key={instance.id} style={{ marginBottom: 4 }}>
      {instance.id} {instance.version}{' '}
      <Status health={STATUS_HEALTH[instance.status] ?? 'unknown'}>{t(`status.${instance.status}`)}</Status>{' '}
      {mayDrain && (
        <Button
          variant="default"
          size="compact-xs"
          aria-label={`${t(isCalled(instance) ? 'instances.drain' : 'instances.resume')} ${instance.id}`}
          onClick={() => patch.mutate({ id: instance.id, status: isCalled(instance) ? 'draining' : 'passing' })}
        >
          {t(isCalled(instance) ? 'instances.drain' : 'instances.resume')}
        </Button>
      )}
    </li>
  )
  return (
    <>
      <h3>{t('services.instances')}</h3>
      {patch.error && <Problem problem={told(patch.error)} />}
      <Panel asked={asked} height={60}>
        {(instances) => (
          <>
            <ul>{instances.slice(0, MOST).map(one)}</ul>
            {instances.length > MOST && <p>{t('kit.rows', { shown: MOST, all: instances.length })}</p>}
          </>
        )}
      </Panel>
    </>
  )
}

function isCalled({ status }: Instance): boolean {
  return status === 'passing' || status === 'critical'
}
