import { Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { instancesQuery, type Service, servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { healthOf } from '../parts/serviceHealth'
import { LinkButton } from '../shell/LinkButton'
import { History } from './History'
import { InForcePanel } from './InForcePanel'
import { InstanceTable } from './InstanceTable'
import { Onboarding } from './Onboarding'
import { SignalsPanel } from './SignalsPanel'

/** How is my service, and what applies to it? */
export function ServicePage() {
  const { t } = useTranslation()
  const { namespace, service: name } = useParams({ from: '/services/$namespace/$service' })
  const { may } = useRights()
  const services = useQuery(servicesQuery(namespace))
  const instances = useQuery(instancesQuery(namespace, name))
  const service = services.data?.find((one) => one.metadata.name === name)
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
      <Panel asked={services} height={40}>
        {() => (service ? <Facts service={service} /> : <p>{t('services.gone', { name })}</p>)}
      </Panel>
      <Panel asked={instances} height={60}>
        {(found) => <Onboarding namespace={namespace} service={name} instances={found} />}
      </Panel>
      {may('insight:read', namespace) && <SignalsPanel namespace={namespace} service={name} />}
      <Tabs defaultValue="instances" mt="lg" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="instances">
            {t('services.instances')} {instances.data?.length ?? ''}
          </Tabs.Tab>
          {may('documents:read', namespace) && <Tabs.Tab value="force">{t('services.inForce')}</Tabs.Tab>}
          {may('documents:read', namespace) && <Tabs.Tab value="history">{t('nav.changes')}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="instances" pt="md">
          <Panel asked={instances} height={200}>
            {(found) => <InstanceTable namespace={namespace} service={name} instances={found} />}
          </Panel>
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

/** One line: health, and what its document says of it. */
function Facts({ service }: { service: Service }) {
  const { t } = useTranslation()
  const { owner, docs_url: docs, description } = service.spec as Record<string, string | undefined>
  const link = docs && /^https?:\/\//.test(docs) ? docs : undefined
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 16, marginBottom: 12 }}>
      <Status health={healthOf(service)}>{t(`health.${healthOf(service)}`)}</Status>
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
