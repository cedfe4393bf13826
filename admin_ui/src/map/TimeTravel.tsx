import { Button, NativeSelect } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { liveAlertsQuery, pastAlertsQuery, serviceOf } from '../api/alerts'
import { revisionsQuery } from '../api/revisions'
import { useRights } from '../api/session'
import { clock } from '../i18n/format'
import { useNow } from '../kit/Since'
import { useNamespace } from '../shell/useNamespace'
import { useSpan } from '../shell/useSpan'
import { type Moment, momentOf, REACH_S, speedStep, unique } from './moments'

const TURN_MS = 2_000
const SETTLE_MS = 200
const SPEEDS = [10, 60] as const
const MINUTE_S = 60

type Props = {
  before: number | undefined
  /** at: seconds since 1970, undefined: now. */
  look: (next: { at?: number | undefined; before?: number | undefined }) => void
}

/** The last two days on one line, with what changed then: another moment, the course of things, two moments side by side. */
export function TimeTravel({ before, look }: Props) {
  const { t, i18n } = useTranslation()
  const { at, window_s } = useSpan()
  const now_s = Math.floor(useNow(15_000) / 1000)
  const moments = useMoments(now_s)
  const [draft, setDraft] = useState<number | null>(null)
  const [speed, setSpeed] = useState(0)
  const shown = draft ?? Math.max(-REACH_S / MINUTE_S, Math.round(((at ?? now_s) - now_s) / MINUTE_S))

  // biome-ignore lint/correctness/useExhaustiveDependencies: it waits until the slider rests
  useEffect(() => {
    if (draft === null) return
    const timer = window.setTimeout(() => {
      look({ at: momentOf(draft, Date.now()) })
      setDraft(null)
    }, SETTLE_MS)
    return () => window.clearTimeout(timer)
  }, [draft])
  useEffect(() => {
    if (speed === 0) return
    if (at === undefined) {
      setSpeed(0)
      return
    }
    const timer = window.setTimeout(() => look({ at: speedStep(at, (speed * TURN_MS) / 1000, Date.now()) }), TURN_MS)
    return () => window.clearTimeout(timer)
  }, [speed, at, look])

  const end = at ?? now_s
  const compared = [
    { value: '', label: t('map.time.alone') },
    { value: String(end - window_s), label: t('map.time.rightBefore') },
    { value: String(end - 3_600), label: t('map.time.hourBefore') },
    { value: String(end - 86_400), label: t('map.time.dayBefore') },
    ...unique(moments).map((one) => ({ value: String(one.at), label: t('map.time.until', { what: one.name }) })),
  ]
  const known = before === undefined ? '' : String(before)
  if (!compared.some(({ value }) => value === known)) {
    compared.push({ value: known, label: clock(Number(known) * 1000, i18n.language) })
  }
  return (
    <section className="map-time" aria-label={t('map.time.title')}>
      <div className="map-slider">
        <div className="map-ticks" aria-hidden="true">
          {moments.map(({ at: moment, name, kind }) => (
            <span
              key={`${kind} ${name} ${moment}`}
              data-kind={kind}
              title={name}
              style={{ left: `${(1 - (now_s - moment) / REACH_S) * 100}%` }}
            />
          ))}
        </div>
        <input
          type="range"
          min={-REACH_S / MINUTE_S}
          max={0}
          step={1}
          value={shown}
          aria-label={t('map.time.slider')}
          aria-valuetext={shown === 0 ? t('time.untilNow') : clock((now_s + shown * MINUTE_S) * 1000, i18n.language)}
          onChange={(event) => setDraft(Number(event.currentTarget.value))}
        />
      </div>
      {SPEEDS.map((one) => (
        <Button
          key={one}
          variant="default"
          aria-pressed={speed === one}
          disabled={at === undefined}
          onClick={() => setSpeed(speed === one ? 0 : one)}
        >
          {speed === one ? t('map.time.stop') : t('map.time.play', { speed: one })}
        </Button>
      ))}
      <NativeSelect
        label={t('map.time.jump')}
        value=""
        disabled={moments.length === 0}
        data={[
          { value: '', label: '–' },
          ...unique(moments).map((one) => ({ value: String(one.at), label: one.name })),
        ]}
        onChange={(event) => {
          const moment = Number(event.currentTarget.value)
          const next = moment + window_s
          if (moment > 0) look({ at: next < now_s ? next : undefined, before: moment })
        }}
      />
      <NativeSelect
        label={t('map.time.compare')}
        value={known}
        data={compared}
        onChange={(event) => look({ before: Number(event.currentTarget.value) || undefined })}
      />
    </section>
  )
}

/** Revisions and alerts of the last two days, the newest first, for whoever may read them. */
function useMoments(now_s: number): Moment[] {
  const { maySomewhere } = useRights()
  const namespace = useNamespace()
  const mayAlerts = maySomewhere('alerts:read')
  const revisions = useInfiniteQuery({ ...revisionsQuery, enabled: maySomewhere('documents:read') }).data
  const live = useQuery({ ...liveAlertsQuery(namespace), enabled: mayAlerts }).data
  const past = useInfiniteQuery({ ...pastAlertsQuery(namespace), enabled: mayAlerts }).data
  return useMemo(() => {
    const changed = (revisions?.pages[0]?.items ?? []).map(
      (one): Moment => ({ at: Math.floor(Date.parse(one.at) / 1000), name: `r${one.revision}`, kind: 'revision' }),
    )
    const fired = [...(live ?? []), ...(past?.pages[0] ?? [])].flatMap((alert): Moment[] => {
      if (!alert.fired_at) return []
      const of = serviceOf(alert)
      const name = of ? `${alert.name} ${of.namespace}/${of.service}` : alert.name
      return [{ at: Math.floor(alert.fired_at), name, kind: 'alert' }]
    })
    return [...changed, ...fired].filter(({ at }) => at > now_s - REACH_S).sort((a, b) => b.at - a.at)
  }, [revisions, live, past, now_s])
}
