import { useTranslation } from 'react-i18next'
import type { ServiceSignals } from '../api/insight'
import { Status } from '../kit/Status'
import { causeText } from './causes'

/** How well a service is, and why. */
export function Reasons({ signals }: { signals: ServiceSignals }) {
  const { t, i18n } = useTranslation()
  const causes = signals.causes ?? []
  return (
    <Status health={signals.health}>
      {t(`signals.health.${signals.health}`)}
      {causes.length > 0 && (
        <span style={{ color: 'var(--muted)' }}>
          {causes.map((cause) => causeText(cause, t, i18n.language)).join('; ')}
        </span>
      )}
    </Status>
  )
}
