import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { gatewaysQuery } from '../api/gateways'
import { allCallsQuery, type ServiceSignals, signalsQuery, totalQuery } from '../api/insight'
import { revisionsQuery } from '../api/revisions'
import { type Service, servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { CopyCommand } from '../kit/CopyCommand'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { Reasons } from '../parts/Reasons'
import { RevisionList } from '../parts/RevisionList'
import { SignalStrip } from '../parts/SignalStrip'
import { countsOf, healthOf, signalsByName } from '../parts/serviceHealth'
import { TimeBar } from '../shell/TimeBar'
import { useNamespace } from '../shell/useNamespace'
import { useSpan } from '../shell/useSpan'
import { Alerts } from './Alerts'

const LATEST = 8

/** Is anything wrong, and what changed lately? Each panel is there for whoever may read what it shows. */
export function OverviewPage() {
  const { t } = useTranslation()
  const { maySomewhere, may } = useRights()
  return (
    <>
      <PageHead title={t('nav.overview')} command="meshway doctor" />
      {maySomewhere('insight:read') && <TimeBar />}
      <div style={{ display: 'grid', gridTemplateColumns: 'minmax(0, 1fr)', gap: 16 }}>
        {maySomewhere('alerts:read') && <Alerts />}
        {maySomewhere('insight:read') && <Calls />}
        {maySomewhere('instances:read') && <Services />}
        {may('gateways:read', '*') && <Gateways />}
        {maySomewhere('documents:read') && <Latest />}
        {!maySomewhere('instances:read') && !maySomewhere('documents:read') && <p>{t('overview.nothing')}</p>}
      </div>
    </>
  )
}

/** All calls of the time looked at. */
function Calls() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const span = useSpan()
  const asked = useQuery(allCallsQuery(span, namespace))
  return (
    <section className="panel">
      <h2>{t('signals.title')}</h2>
      <Panel asked={asked} height={48}>
        {(figures) =>
          figures.calls === 0 ? (
            <p style={{ margin: 0 }}>{t('signals.none')}</p>
          ) : (
            <SignalStrip figures={figures} course={(metric) => totalQuery(span, metric, namespace)} />
          )
        }
      </Panel>
    </section>
  )
}

function Services() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const { maySomewhere } = useRights()
  const asked = useQuery(servicesQuery(namespace))
  const signals = useQuery({ ...signalsQuery(useSpan(), namespace), enabled: maySomewhere('insight:read') })
  return (
    <section className="panel">
      <h2>{t('nav.services')}</h2>
      <Panel asked={asked} height={80}>
        {(services) =>
          services.length === 0 ? <FirstSteps /> : <Health services={services} signals={signals.data ?? []} />
        }
      </Panel>
    </section>
  )
}

/** Those that are not well, each with the reasons that its calls, its instances and the gateways give. */
function Health({ services, signals }: { services: readonly Service[]; signals: readonly ServiceSignals[] }) {
  const { t } = useTranslation()
  const told = signalsByName(signals)
  const ill = services
    .map((one) => ({ one, signals: told.get(`${one.metadata.namespace}/${one.metadata.name}`) }))
    .filter(({ one, signals }) => ['bad', 'warn'].includes(signals?.health ?? healthOf(one)))
  return (
    <>
      <p style={{ margin: '0 0 8px' }}>
        <Status health={ill.length === 0 ? 'ok' : 'warn'}>
          {t('overview.services', { all: services.length, ill: ill.length })}
        </Status>
      </p>
      <ul style={{ margin: 0, paddingInlineStart: 0, listStyle: 'none' }}>
        {ill.map(({ one, signals }) => (
          <li
            key={`${one.metadata.namespace}/${one.metadata.name}`}
            style={{ display: 'flex', flexWrap: 'wrap', gap: '0 12px' }}
          >
            <Link
              to="/services/$namespace/$service"
              params={{ namespace: one.metadata.namespace ?? 'default', service: one.metadata.name }}
            >
              {one.metadata.namespace}/{one.metadata.name}
            </Link>
            {signals ? (
              <Reasons signals={signals} />
            ) : (
              <Status health={healthOf(one)}>
                {t('overview.passing', { passing: countsOf(one).passing, all: countsOf(one).all })}
              </Status>
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

/** Until the first service is known. */
function FirstSteps() {
  const { t } = useTranslation()
  return (
    <>
      <p style={{ margin: '0 0 8px' }}>{t('overview.first')}</p>
      <CopyCommand text="meshway register books --port 9080 -- python books.py" />
      <p style={{ margin: '8px 0' }}>{t('overview.demo')}</p>
      <CopyCommand text="meshway demo" />
    </>
  )
}

function Gateways() {
  const { t } = useTranslation()
  const asked = useQuery(gatewaysQuery)
  return (
    <section className="panel">
      <h2>
        <Link to="/gateways">{t('nav.gateways')}</Link>
      </h2>
      <Panel asked={asked} height={40}>
        {(gateways) => {
          const live = gateways.filter((one) => one.live)
          const head = Math.max(0, ...live.map((one) => one.revision))
          const behind = live.filter((one) => one.revision < head)
          if (live.length === 0) return <Status health="bad">{t('overview.noGateway')}</Status>
          return (
            <Status health={behind.length > 0 ? 'warn' : 'ok'}>
              {t('overview.gateways', { live: live.length, head, behind: behind.length })}
            </Status>
          )
        }}
      </Panel>
    </section>
  )
}

function Latest() {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(revisionsQuery)
  return (
    <section className="panel">
      <h2>
        <Link to="/changes">{t('overview.latest')}</Link>
      </h2>
      <Panel asked={asked} height={120}>
        {({ pages }) => {
          const latest = (pages[0]?.items ?? []).slice(0, LATEST)
          return latest.length === 0 ? <p>{t('changes.none')}</p> : <RevisionList revisions={latest} isShort />
        }}
      </Panel>
    </section>
  )
}
