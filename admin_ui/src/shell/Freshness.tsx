import { useTranslation } from 'react-i18next'
import { useNow } from '../kit/Since'
import { Status } from '../kit/Status'
import { useLive } from './LiveProvider'

const TELL_AFTER_MS = 10_000

/** How current the page is: live, or since when it is not. */
export function Freshness() {
  const { t } = useTranslation()
  const live = useLive()
  const now = useNow(1_000)
  if (live === null) return null
  const age_s = Math.max(0, Math.round((now - live.since) / 1000))
  if (live.state === 'live') {
    return <Status health="ok">{t('live.live')}</Status>
  }
  if (live.state === 'polling') return <Status health="warn">{t('live.polling', { age_s })}</Status>
  if (now - live.since < TELL_AFTER_MS) return <Status health="unknown">{t('live.connecting')}</Status>
  return <Status health="idle">{t('live.stale', { age_s })}</Status>
}
