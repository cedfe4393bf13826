import { useTranslation } from 'react-i18next'
import type { ServiceSignals } from '../api/insight'
import { Status } from '../kit/Status'

/** How well a service is, and why, in the registry's words. */
export function Reasons({ signals }: { signals: ServiceSignals }) {
  const { t } = useTranslation()
  return (
    <Status health={signals.health}>
      {t(`signals.health.${signals.health}`)}
      {signals.reasons.length > 0 && (
        <span lang="en" style={{ color: 'var(--muted)' }}>
          {signals.reasons.join('; ')}
        </span>
      )}
    </Status>
  )
}
