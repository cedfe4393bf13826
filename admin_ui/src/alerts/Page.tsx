import { Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { liveAlertsQuery } from '../api/alerts'
import { useRights } from '../api/session'
import { PageHead } from '../kit/PageHead'
import { useNamespace } from '../shell/useNamespace'
import { Live } from './Live'
import { Objectives } from './Objectives'
import { Past } from './Past'
import { Receivers } from './Receivers'
import { Rules } from './Rules'
import { Silences } from './Silences'

const FIRST = 'live'

/** What should I know, who is told of it, and what is it judged by? The tab stands in the URL. */
export function AlertsPage() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const navigate = useNavigate()
  const { maySomewhere } = useRights()
  const { tab: chosen, alert: opened } = useSearch({ from: '/alerts' })
  const alerts = useQuery(liveAlertsQuery(namespace))
  // A message leads to an alert that may be over by the time somebody follows it.
  const isOver = opened !== undefined && alerts.data?.every((one) => one.id !== opened)
  const tab = chosen ?? (isOver ? 'past' : FIRST)
  const firing = alerts.data?.filter((one) => one.state === 'firing').length
  const mayRead = maySomewhere('documents:read')
  return (
    <>
      <PageHead title={t('nav.alerts')} command={`meshway alert list ${namespace ? `-n ${namespace}` : '-A'}`} />
      <Tabs
        value={tab}
        onChange={(value) =>
          void navigate({
            to: '/alerts',
            search: (before) => ({ ...before, tab: value && value !== FIRST ? value : undefined, alert: undefined }),
          })
        }
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="live">
            {t('alerts.live')} {firing ?? ''}
          </Tabs.Tab>
          <Tabs.Tab value="past">{t('alerts.past')}</Tabs.Tab>
          {mayRead && <Tabs.Tab value="rules">{t('alerts.rules')}</Tabs.Tab>}
          <Tabs.Tab value="objectives">{t('alerts.objectives')}</Tabs.Tab>
          {mayRead && <Tabs.Tab value="receivers">{t('alerts.receivers')}</Tabs.Tab>}
          <Tabs.Tab value="silences">{t('alerts.silences')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="live" pt="md">
          <Live asked={alerts} />
        </Tabs.Panel>
        <Tabs.Panel value="past" pt="md">
          <Past namespace={namespace} />
        </Tabs.Panel>
        <Tabs.Panel value="rules" pt="md">
          <Rules namespace={namespace} />
        </Tabs.Panel>
        <Tabs.Panel value="objectives" pt="md">
          <Objectives namespace={namespace} />
        </Tabs.Panel>
        <Tabs.Panel value="receivers" pt="md">
          <Receivers namespace={namespace} />
        </Tabs.Panel>
        <Tabs.Panel value="silences" pt="md">
          <Silences namespace={namespace} />
        </Tabs.Panel>
      </Tabs>
    </>
  )
}
