import { useTranslation } from 'react-i18next'
import type { Schemas } from '../api/client'
import { number } from '../i18n/format'

type Effect = Schemas['Effect']
type Share = Schemas['Share']

/** Whom the change would touch, by the calls of the last ten minutes. */
export function EffectPanel({ effect }: { effect: Effect }) {
  const { t, i18n } = useTranslation()
  const named = (shares: readonly Share[]) =>
    shares.map(({ name, rps }) => `${name} (${number(rps, i18n.language)}/s)`).join(', ') || '–'
  return (
    <section className="panel" aria-label={t('effect.title')}>
      <h2>{t('effect.title')}</h2>
      <p style={{ marginTop: 0 }}>
        {t('effect.summary', {
          routes: effect.route_count,
          services: effect.service_count,
          callers: effect.caller_count,
          rps: number(effect.rps, i18n.language),
        })}
      </p>
      <dl style={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: '4px 12px', margin: 0 }}>
        <dt>{t('nav.routes')}</dt>
        <dd style={{ margin: 0 }}>{named(effect.routes)}</dd>
        <dt>{t('nav.services')}</dt>
        <dd style={{ margin: 0 }}>{named(effect.services)}</dd>
        <dt>{t('effect.callers')}</dt>
        <dd style={{ margin: 0 }}>{named(effect.callers)}</dd>
      </dl>
    </section>
  )
}
