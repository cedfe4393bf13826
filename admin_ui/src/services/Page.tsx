import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Service, servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { countsOf, healthOf } from '../parts/serviceHealth'
import { LinkButton } from '../shell/LinkButton'
import { useNamespace } from '../shell/useNamespace'

const ORDER = { bad: 0, warn: 1, unknown: 2, ok: 3, idle: 4 }

/** Is my service known, and do enough of its instances answer? */
export function ServicesPage() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const asked = useQuery(servicesQuery(namespace))
  const { session, isReadOnly, maySomewhere } = useRights()
  const mayRegister = !isReadOnly && (maySomewhere('instances:write') || !!session.service)
  return (
    <>
      <PageHead title={t('nav.services')} command={`meshway get services${namespace ? ` -n ${namespace}` : ''}`}>
        {mayRegister && <LinkButton to="/services/register">{t('services.register')}</LinkButton>}
      </PageHead>
      <Panel asked={asked} height={320}>
        {(services) =>
          services.length === 0 ? (
            <Empty
              title={namespace ? t('services.noneIn', { namespace }) : t('services.none')}
              command="meshway register books --port 9080"
            />
          ) : (
            <ServiceTable services={services} />
          )
        }
      </Panel>
    </>
  )
}

function ServiceTable({ services }: { services: readonly Service[] }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const columns: Column<Service>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: (one) => one.metadata.name,
      cell: (one) => (
        <Link to="/services/$namespace/$service" params={paramsOf(one)}>
          {one.metadata.name}
        </Link>
      ),
    },
    {
      id: 'namespace',
      title: t('shell.namespace'),
      sort: (one) => one.metadata.namespace ?? '',
      cell: (one) => one.metadata.namespace,
    },
    {
      id: 'health',
      title: t('services.health'),
      sort: (one) => ORDER[healthOf(one)],
      cell: (one) => <Status health={healthOf(one)}>{t(`health.${healthOf(one)}`)}</Status>,
    },
    {
      id: 'instances',
      title: t('services.passing'),
      isNumber: true,
      sort: (one) => countsOf(one).passing,
      cell: (one) => `${countsOf(one).passing} / ${countsOf(one).all}`,
    },
    {
      id: 'owner',
      title: t('services.owner'),
      sort: (one) => String(one.spec.owner ?? ''),
      cell: (one) => String(one.spec.owner ?? ''),
    },
    {
      id: 'about',
      title: t('services.about'),
      isWide: true,
      cell: (one) => String(one.spec.description ?? ''),
    },
  ]
  return (
    <DataTable
      label={t('nav.services')}
      rows={services}
      columns={columns}
      rowKey={(one) => `${one.metadata.namespace}/${one.metadata.name}`}
      text={(one) => `${one.metadata.namespace}/${one.metadata.name} ${String(one.spec.owner ?? '')}`}
      open={(one) => void navigate({ to: '/services/$namespace/$service', params: paramsOf(one) })}
    />
  )
}

function paramsOf({ metadata }: Service) {
  return { namespace: metadata.namespace ?? 'default', service: metadata.name }
}
