import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { gatewaysQuery } from '../api/gateways'
import { namespacesQuery } from '../api/namespaces'
import { useRights } from '../api/session'
import { useNow } from '../kit/Since'
import { useLive } from './LiveProvider'
import { PastBar } from './PastBar'

const STALE_MS = 60_000

/** What is out of order for everybody, in words, with its effect. */
export function Banners() {
  const { t } = useTranslation()
  const { session, may } = useRights()
  const live = useLive()
  const now = useNow(5_000)
  const namespaces = useQuery({ ...namespacesQuery, enabled: may('documents:read', '*') })
  const gateways = useQuery({ ...gatewaysQuery, enabled: may('gateways:read', '*') })
  const paused = (namespaces.data ?? []).filter((one) => one.self_preservation.length > 0)
  const refusing = (gateways.data ?? []).filter((one) => one.live && one.refused.some((row) => !row.is_pending))
  const isStale = live !== null && live.state === 'polling' && now - live.since > STALE_MS
  return (
    <>
      <PastBar />
      {session.principal === 'loopback' && <Banner tone="info">{t('banner.loopback')}</Banner>}
      {session.read_only && <Banner tone="warn">{t('banner.readOnly')}</Banner>}
      {isStale && <Banner tone="warn">{t('banner.stale')}</Banner>}
      {paused.length > 0 && (
        <Banner tone="warn">
          {t('banner.preservation', { namespaces: paused.map((one) => one.name).join(', ') })}
        </Banner>
      )}
      {refusing.length > 0 && (
        <Banner tone="bad">
          {t('banner.refused', { nodes: refusing.map((one) => one.node).join(', ') })}{' '}
          <Link to="/gateways">{t('nav.gateways')}</Link>
        </Banner>
      )}
    </>
  )
}

function Banner({ tone, children }: { tone: 'info' | 'warn' | 'bad'; children: React.ReactNode }) {
  return (
    <div
      role="status"
      className="panel"
      style={{ borderColor: `var(--${tone})`, marginBottom: 12, padding: '6px 12px' }}
    >
      {children}
    </div>
  )
}
