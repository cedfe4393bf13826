import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Alert, isQuiet } from '../api/alerts'
import { Empty } from '../kit/Empty'
import { type Asked, Panel } from '../kit/Panel'
import { AlertTable } from './AlertTable'
import { SilenceDialog } from './SilenceDialog'

/** What fires, what is about to, and what is silenced, each with what it leads to. */
export function Live({ asked }: { asked: Asked<Alert[]> }) {
  const { t } = useTranslation()
  const [silenced, setSilenced] = useState<Alert | null>(null)
  return (
    <>
      <Panel asked={asked} height={240}>
        {(alerts) => {
          const quiet = alerts.filter(isQuiet)
          const firing = alerts.filter((one) => one.state === 'firing' && !isQuiet(one))
          const pending = alerts.filter((one) => one.state === 'pending' && !isQuiet(one))
          if (alerts.length === 0) return <Empty title={t('alerts.noneLive')} command="meshway alert list" />
          return (
            <>
              <Group title={t('alerts.firing')} alerts={firing} silence={setSilenced} none={t('alerts.noneFiring')} />
              {pending.length > 0 && <Group title={t('alerts.pending')} alerts={pending} silence={setSilenced} />}
              {quiet.length > 0 && <Group title={t('alerts.silenced')} alerts={quiet} />}
            </>
          )
        }}
      </Panel>
      <SilenceDialog alert={silenced} close={() => setSilenced(null)} />
    </>
  )
}

function Group({
  title,
  alerts,
  silence,
  none,
}: {
  title: string
  alerts: readonly Alert[]
  silence?: (alert: Alert) => void
  none?: string
}) {
  return (
    <div style={{ marginBottom: 20 }}>
      <h2 style={{ fontSize: 14 }}>{title}</h2>
      {alerts.length === 0 ? <p>{none}</p> : <AlertTable label={title} alerts={alerts} silence={silence} />}
    </div>
  )
}
