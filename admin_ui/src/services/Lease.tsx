import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Instance } from '../api/services'
import { useNow } from '../kit/Since'

/** What is left of the lease, counting down from what was last read. */
export function Lease({ instance }: { instance: Instance }) {
  const { t } = useTranslation()
  const now = useNow(1_000)
  const read = useRef({ instance, at: Date.now() })
  if (read.current.instance !== instance) read.current = { instance, at: Date.now() }
  if (instance.check)
    return <span>{t('instances.checked', { type: String((instance.check as { type?: string }).type ?? 'http') })}</span>
  if (instance.unrenewed) return <span>{t('instances.unrenewed')}</span>
  if (instance.expires_in_s === null || instance.ttl_s === null) return <span>–</span>
  const left_s = Math.max(0, instance.expires_in_s - (now - read.current.at) / 1000)
  return (
    <span>
      <span className="lease" aria-hidden="true">
        <span style={{ width: `${Math.min(100, (100 * left_s) / instance.ttl_s)}%` }} />
      </span>{' '}
      {Math.round(left_s)} s
    </span>
  )
}
