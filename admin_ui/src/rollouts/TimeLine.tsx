import { useTranslation } from 'react-i18next'
import type { Rollout } from '../api/rollouts'
import { clock, percent } from '../i18n/format'

/** What happened, the oldest first, each with the canary's weight from then on. */
export function TimeLine({ events }: { events: Rollout['events'] }) {
  const { t, i18n } = useTranslation()
  const language = i18n.language
  return (
    <ol className="time-line">
      {events.map((event) => (
        <li key={`${event.at}/${event.what}`}>
          <time dateTime={new Date(event.at * 1000).toISOString()}>{clock(event.at * 1000, language)}</time>
          <span className="span-bar" aria-hidden="true">
            <span style={{ width: `${event.weight_percent}%`, background: 'var(--accent)' }} />
          </span>
          <span>{t('rollouts.toCanary', { weight: percent(event.weight_percent / 100, language) })}</span>
          <span>
            <strong>{t(`rollouts.events.${event.what}`)}</strong>{' '}
            {event.by ? t('rollouts.by', { who: event.by }) : t('rollouts.byItself')}
            {event.reason && <> · {event.reason}</>}
          </span>
        </li>
      ))}
    </ol>
  )
}
