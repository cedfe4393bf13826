import { useTranslation } from 'react-i18next'
import { day } from '../i18n/format'
import { useNow } from '../kit/Since'
import { type Health, Status } from '../kit/Status'

const DAY_MS = 86_400_000
const SOON = 0.1
const A_MINUTE_MS = 60_000

/** The end of a certificate and how far it is. at, life: milliseconds; of the life's last tenth it is warned. */
export function Expiry({ at, life }: { at: number; life: number }) {
  const { t, i18n } = useTranslation()
  const left = at - useNow(A_MINUTE_MS)
  const days = Math.floor(left / DAY_MS)
  const told = left <= 0 ? t('certificates.over') : t('certificates.left', { days })
  return (
    <Status health={healthOf(left, life)}>
      {day(at, i18n.language)} · {told}
    </Status>
  )
}

function healthOf(left: number, life: number): Health {
  if (left <= 0) return 'bad'
  return left < life * SOON ? 'warn' : 'ok'
}
