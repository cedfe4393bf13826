import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ago, clock, utc } from '../i18n/format'

/** A moment as people say it, the exact one (UTC) on hover. at: milliseconds since 1970. */
export function Since({ at }: { at: number }) {
  const { i18n } = useTranslation()
  const now = useNow(15_000)
  return (
    <time dateTime={new Date(at).toISOString()} title={`${clock(at, i18n.language)} · ${utc(at)}`}>
      {ago(at - now, i18n.language)}
    </time>
  )
}

/** The clock, every so often, for what ages on the screen. */
export function useNow(every_ms: number) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), every_ms)
    return () => window.clearInterval(timer)
  }, [every_ms])
  return now
}
