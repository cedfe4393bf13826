import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Signals, signalsQuery } from '../api/insight'
import { type Service, servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { number, percent } from '../i18n/format'
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
  const signals = useQuery({ ...signalsQuery(namespace), enabled: maySomewhere('insight:read') })
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
            <ServiceTable services={services} signals={signals.data} />
          )
        }
      </Panel>
    </>
  )
}

type TableProps = { services: readonly Service[]; signals: Map<string, Signals> | undefined }

/** signals: absent where they may not be read, or are not there yet. */
function ServiceTable({ services, signals }: TableProps) {
  const { t, i18n } = useTranslation()
  const figuresOf = (one: Service) => signals?.get(`${one.metadata.namespace}/${one.metadata.name}`)?.figures
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
    ...(signals
      ? [
          {
            id: 'rate',
            title: t('services.rate'),
            isNumber: true,
            sort: (one: Service) => figuresOf(one)?.rps ?? 0,
            cell: (one: Service) => number(figuresOf(one)?.rps ?? 0, i18n.language),
          },
          {
            id: 'errors',
            title: t('services.errors'),
            isNumber: true,
            sort: (one: Service) => figuresOf(one)?.error_share ?? 0,
            cell: (one: Service) => percent(figuresOf(one)?.error_share ?? 0, i18n.language),
          },
          {
            id: 'p95',
            title: t('services.p95'),
            isNumber: true,
            sort: (one: Service) => figuresOf(one)?.p95_ms ?? 0,
            cell: (one: Service) =>
              figuresOf(one)?.calls ? `${number(figuresOf(one)?.p95_ms ?? 0, i18n.language)} ms` : '–',
          },
        ]
      : []),
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
