import { Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { carriesBytes, protocolsOf, routesTo, type Spoken } from '../api/concerning'
import { serviceSeriesQuery, signalsQuery } from '../api/insight'
import { instancesQuery, type Service, servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { CopyCommand } from '../kit/CopyCommand'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { Reasons } from '../parts/Reasons'
import { SignalStrip } from '../parts/SignalStrip'
import { healthOf } from '../parts/serviceHealth'
import { LinkButton } from '../shell/LinkButton'
import { TimeBar } from '../shell/TimeBar'
import { useSpan } from '../shell/useSpan'
import { History } from './History'
import { InForcePanel } from './InForcePanel'
import { InstanceTable } from './InstanceTable'
import { LogsPanel } from './LogsPanel'
import { Onboarding } from './Onboarding'
import { SignalsPanel } from './SignalsPanel'
import { useRoutes } from './useRoutes'
import { VersionsPanel } from './VersionsPanel'

/** How is my service, and what applies to it? */
export function ServicePage() {
  const { t } = useTranslation()
  const { namespace, service: name } = useParams({ from: '/services/$namespace/$service' })
  const { may } = useRights()
  const services = useQuery(servicesQuery(namespace))
  const instances = useQuery(instancesQuery(namespace, name))
  const service = services.data?.find((one) => one.metadata.name === name)
  const here = routesTo(useRoutes(namespace).data ?? [], namespace, name)
  const isOfBytes = carriesBytes(service?.spec ?? {}, here)
  const spoken = protocolsOf(service?.spec ?? {}, here, instances.data ?? [])
  const versions = [...new Set(instances.data?.map((one) => one.version))].sort()
  return (
    <>
      <PageHead title={`${namespace} / ${name}`} command={`meshway describe service ${name} -n ${namespace}`}>
        {may('documents:write', namespace) && (
          <LinkButton
            variant="default"
            to="/policies/$kind/$namespace/$name"
            params={{ kind: 'Service', namespace, name }}
          >
            {t('services.editDocument')}
          </LinkButton>
        )}
        {may('instances:write', namespace) && (
          <LinkButton to="/services/register" search={{ namespace, service: name }}>
            {t('services.addInstance')}
          </LinkButton>
        )}
      </PageHead>
      {may('insight:read', namespace) && <TimeBar />}
      <Panel asked={services} height={40}>
        {() => (service ? <Facts service={service} spoken={spoken} /> : <p>{t('services.gone', { name })}</p>)}
      </Panel>
      {may('insight:read', namespace) && <Signals namespace={namespace} service={name} isOfBytes={isOfBytes} />}
      <Panel asked={instances} height={60}>
        {(found) => <Onboarding namespace={namespace} service={name} spec={service?.spec ?? {}} instances={found} />}
      </Panel>
      {versions.length > 1 && may('insight:read', namespace) && (
        <VersionsPanel service={`${namespace}/${name}`} versions={versions} />
      )}
      <Tabs defaultValue="instances" mt="lg" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="instances">
            {t('services.instances')} {instances.data?.length ?? ''}
          </Tabs.Tab>
          {may('insight:read', namespace) && <Tabs.Tab value="charts">{t('signals.charts')}</Tabs.Tab>}
          {may('logs:read', namespace) && <Tabs.Tab value="logs">{t('logs.title')}</Tabs.Tab>}
          {may('documents:read', namespace) && <Tabs.Tab value="force">{t('services.inForce')}</Tabs.Tab>}
          {may('documents:read', namespace) && <Tabs.Tab value="history">{t('nav.changes')}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="instances" pt="md">
          <Panel asked={instances} height={200}>
            {(found) => <InstanceTable namespace={namespace} service={name} instances={found} />}
          </Panel>
        </Tabs.Panel>
        <Tabs.Panel value="charts" pt="md">
          <SignalsPanel namespace={namespace} service={name} isOfBytes={isOfBytes} />
        </Tabs.Panel>
        <Tabs.Panel value="logs" pt="md">
          <LogsPanel namespace={namespace} service={name} />
        </Tabs.Panel>
        <Tabs.Panel value="force" pt="md">
          <InForcePanel namespace={namespace} service={name} />
        </Tabs.Panel>
        <Tabs.Panel value="history" pt="md">
          <History namespace={namespace} service={name} />
        </Tabs.Panel>
      </Tabs>
    </>
  )
}

/** What its calls say of it in the time looked at, and why it is or is not well. */
function Signals({ namespace, service, isOfBytes }: { namespace: string; service: string; isOfBytes: boolean }) {
  const { t } = useTranslation()
  const span = useSpan()
  const asked = useQuery(signalsQuery(span, namespace))
  return (
    <section className="panel" style={{ marginBottom: 12 }} aria-label={t('signals.title')}>
      {isOfBytes && <p style={{ margin: '0 0 8px', color: 'var(--muted)' }}>{t('signals.ofBytes')}</p>}
      <Panel asked={asked} height={72}>
        {(all) => {
          const own = all.find((one) => one.name === service)
          if (own === undefined || own.figures.calls === 0) {
            return (
              <>
                {own && <Reasons signals={own} />}
                <p style={{ margin: '4px 0' }}>{t(isOfBytes ? 'signals.noneOfBytes' : 'signals.none')}</p>
                {span.at === undefined && !isOfBytes && (
                  <>
                    <p style={{ margin: '0 0 8px' }}>{t('signals.noneHint')}</p>
                    <CopyCommand text={`meshway call ${service}.${namespace}/`} />
                  </>
                )}
              </>
            )
          }
          return (
            <>
              <p style={{ margin: '0 0 8px' }}>
                <Reasons signals={own} />
              </p>
              <SignalStrip
                figures={own.figures}
                isOfBytes={isOfBytes}
                course={(metric) => serviceSeriesQuery(span, metric, `${namespace}/${service}`)}
              />
            </>
          )
        }}
      </Panel>
    </section>
  )
}

/** One line: health, what is spoken to it, and what its document says of it. */
function Facts({ service, spoken }: { service: Service; spoken: readonly Spoken[] }) {
  const { t } = useTranslation()
  const { owner, docs_url: docs, description } = service.spec as Record<string, string | undefined>
  const link = docs && /^https?:\/\//.test(docs) ? docs : undefined
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 16, marginBottom: 12 }}>
      <Status health={healthOf(service)}>{t(`health.${healthOf(service)}`)}</Status>
      {spoken.length > 0 && (
        <span>
          {t('services.speaks')}: {spoken.map((one) => t(`map.protocol.${one}`)).join(' · ')}
        </span>
      )}
      {owner && (
        <span>
          {t('services.owner')}: {owner}
        </span>
      )}
      {link && (
        <a href={link} rel="noreferrer" target="_blank">
          {t('services.docs')}
        </a>
      )}
      {description && <span style={{ color: 'var(--muted)' }}>{description}</span>}
    </div>
  )
}
