import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { type Change, watchQuery } from '../api/changes'
import type { Figures } from '../api/insight'
import { number } from '../i18n/format'
import { Panel } from '../kit/Panel'

/** The five minutes after publishing: which gateways run it, and the calls it touches before and since. */
export function WatchPanel({ change }: { change: Change }) {
  const { t, i18n } = useTranslation()
  const asked = useQuery(watchQuery(change))
  const share = (value: number) => `${number(value * 100, i18n.language)} %`
  const row = (name: string, of: (figures: Figures) => string, before: Figures, since: Figures) => (
    <tr>
      <th scope="row">{name}</th>
      <td>{of(before)}</td>
      <td>{of(since)}</td>
    </tr>
  )
  return (
    <section className="panel" aria-label={t('drafts.watch')}>
      <h2>{t('drafts.watch')}</h2>
      <Panel asked={asked} height={120}>
        {({ applied, gateways, pending, before, since }) => (
          <>
            <p style={{ marginTop: 0 }} role="status">
              {applied === gateways ? '● ' : '▲ '}
              {t('drafts.applied', { applied, gateways })}
              {pending.length > 0 && `: ${pending.join(', ')}`}
            </p>
            {before && since && (
              <div className="table-box">
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">{t('drafts.calls')}</th>
                      <th scope="col">{t('diff.before')}</th>
                      <th scope="col">{t('drafts.since')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {row(t('drafts.rate'), ({ rps }) => `${number(rps, i18n.language)}/s`, before, since)}
                    {row(t('drafts.errors'), ({ error_share }) => share(error_share), before, since)}
                    {row(t('drafts.rejected'), ({ rejected_share }) => share(rejected_share), before, since)}
                    {row('p95', ({ p95_ms }) => `${number(p95_ms, i18n.language)} ms`, before, since)}
                  </tbody>
                </table>
              </div>
            )}
          </>
        )}
      </Panel>
    </section>
  )
}
