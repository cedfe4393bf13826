import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type ServiceSignals, signalsQuery, sparklinesQuery } from '../api/insight'
import { type Service, servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Sparkline } from '../kit/Sparkline'
import { Status } from '../kit/Status'
import { Reasons } from '../parts/Reasons'
import { WRITTEN } from '../parts/SignalStrip'
import { countsOf, healthOf, signalsByName } from '../parts/serviceHealth'
import { LinkButton } from '../shell/LinkButton'
import { TimeBar } from '../shell/TimeBar'
import { useNamespace } from '../shell/useNamespace'
import { useSpan } from '../shell/useSpan'

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
      {maySomewhere('insight:read') && <TimeBar />}
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
  const { told, columns: numbers } = useNumbers()
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
      isWide: true,
      sort: (one) => ORDER[told.get(nameOf(one))?.health ?? healthOf(one)],
      cell: (one) => {
        const signals = told.get(nameOf(one))
        if (signals) return <Reasons signals={signals} />
        return <Status health={healthOf(one)}>{t(`health.${healthOf(one)}`)}</Status>
      },
    },
    {
      id: 'instances',
      title: t('services.passing'),
      isNumber: true,
      sort: (one) => countsOf(one).passing,
      cell: (one) => `${countsOf(one).passing} / ${countsOf(one).all}`,
    },
    ...numbers,
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
      rowKey={nameOf}
      text={(one) => `${nameOf(one)} ${String(one.spec.owner ?? '')}`}
      open={(one) => void navigate({ to: '/services/$namespace/$service', params: paramsOf(one) })}
    />
  )
}

function paramsOf({ metadata }: Service) {
  return { namespace: metadata.namespace ?? 'default', service: metadata.name }
}

function nameOf({ metadata }: Service): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}

/** What calls of the time looked at say of each service, for whoever may read it. told: by `namespace/name`. */
function useNumbers(): { told: Map<string, ServiceSignals>; columns: Column<Service>[] } {
  const { t, i18n } = useTranslation()
  const namespace = useNamespace()
  const span = useSpan()
  const { maySomewhere } = useRights()
  const enabled = maySomewhere('insight:read')
  const signals = useQuery({ ...signalsQuery(span, namespace), enabled })
  const rates = useQuery({ ...sparklinesQuery(span, 'rps', namespace), enabled })
  const told = signalsByName(signals.data ?? [])
  const courses = new Map(rates.data?.lines.map((line) => [line.name, line.points]))
  if (!enabled) return { told, columns: [] }
  const columns = (['rps', 'error_share', 'p95_ms'] as const).map((metric) => {
    const { key, write } = WRITTEN[metric]
    const figures = (one: Service) => told.get(nameOf(one))?.figures
    return {
      id: metric,
      title: t(`signals.${key}`),
      isNumber: true,
      sort: (one: Service) => figures(one)?.[metric] ?? 0,
      cell: (one: Service) => {
        const found = figures(one)
        return found && found.calls > 0 ? write(found[metric], i18n.language) : '–'
      },
    }
  })
  const trend = {
    id: 'trend',
    title: t('signals.trend'),
    cell: (one: Service) => {
      const points = courses.get(nameOf(one))
      return points && <Sparkline points={points} label={`${t('signals.rate')} ${nameOf(one)}`} />
    },
  }
  return { told, columns: [...columns, trend] }
}
