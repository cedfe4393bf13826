import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { healthOfAlert, isQuiet, liveAlertsQuery } from '../api/alerts'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'
import { useNamespace } from '../shell/useNamespace'

const MOST = 8

/** What fires and is not silenced, each leading to what is known of it. */
export function Alerts() {
  const { t } = useTranslation()
  const asked = useQuery(liveAlertsQuery(useNamespace()))
  return (
    <section className="panel">
      <h2>
        <Link to="/alerts">{t('nav.alerts')}</Link>
      </h2>
      <Panel asked={asked} height={24}>
        {(alerts) => {
          const firing = alerts.filter((one) => one.state === 'firing' && !isQuiet(one))
          if (firing.length === 0) return <Status health="ok">{t('overview.nothingFires')}</Status>
          return (
            <ul style={{ margin: 0, paddingInlineStart: 0, listStyle: 'none' }}>
              {firing.slice(0, MOST).map((one) => (
                <li key={one.id} style={{ display: 'flex', flexWrap: 'wrap', gap: '0 12px' }}>
                  <Status health={healthOfAlert(one)}>
                    <Link to="/alerts" search={(before) => ({ ...before, alert: one.id })}>
                      {one.name}
                    </Link>
                  </Status>
                  <span>{one.summary}</span>
                  <Since at={(one.fired_at ?? one.active_at) * 1000} />
                </li>
              ))}
              {firing.length > MOST && <li>{t('overview.moreAlerts', { more: firing.length - MOST })}</li>}
            </ul>
          )
        }}
      </Panel>
    </section>
  )
}
