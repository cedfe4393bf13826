import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type ConsumerDay, consumerDaysQuery } from '../api/consumers'
import { documentsQuery } from '../api/documents'
import { number, percent } from '../i18n/format'
import { Panel } from '../kit/Panel'
import { SeriesChart } from '../kit/SeriesChart'
import { plansOf, usedOf } from './quotas'

const DAY_S = 86_400

/** What it called day by day, and how much its limits let it. */
export function UsePanel({ namespace, name }: { namespace: string; name: string }) {
  const { t, i18n } = useTranslation()
  const days = useQuery(consumerDaysQuery(`${namespace}/${name}`))
  return (
    <Panel asked={days} height={260}>
      {(items) => (
        <>
          <Plans namespace={namespace} days={items} />
          <SeriesChart
            title={t('consumers.byDay')}
            first={items[0]?.begin ?? 0}
            step_s={DAY_S}
            lines={[
              { name: t('consumers.calls'), points: items.map(({ calls }) => calls.calls ?? 0) },
              {
                name: t('consumers.refused'),
                points: items.map(({ calls }) => (calls.limited ?? 0) + (calls.denied ?? 0)),
              },
            ]}
            format={(value) => number(value, i18n.language)}
          />
        </>
      )}
    </Panel>
  )
}

function Plans({ namespace, days }: { namespace: string; days: readonly ConsumerDay[] }) {
  const { t, i18n } = useTranslation()
  const limits = useQuery(documentsQuery('RateLimit'))
  const plans = plansOf(limits.data ?? [], namespace)
  return (
    <section className="panel" style={{ marginBottom: 12 }}>
      <h2>{t('consumers.plan')}</h2>
      {plans.length === 0 && <p style={{ margin: 0 }}>{t('consumers.noPlan')}</p>}
      <ul style={{ margin: 0, paddingInlineStart: 20 }}>
        {plans.map((plan) => {
          const used = plan.quota && usedOf(days, plan.quota.per)
          return (
            <li key={`${plan.namespace}/${plan.name}`}>
              <Link
                to="/policies/$kind/$namespace/$name"
                params={{ kind: 'RateLimit', namespace: plan.namespace, name: plan.name }}
              >
                {plan.namespace}/{plan.name}
              </Link>{' '}
              {plan.text}
              {plan.isAudit && ` (${t('consumers.audit')})`}
              {plan.quota && used !== undefined && (
                <>
                  {': '}
                  {t('consumers.used', {
                    used: number(used, i18n.language),
                    share: percent(used / plan.quota.limit, i18n.language),
                  })}
                </>
              )}
            </li>
          )
        })}
      </ul>
      {plans.some((plan) => plan.quota) && (
        <p style={{ margin: '8px 0 0', color: 'var(--muted)' }}>{t('consumers.usedHow')}</p>
      )}
    </section>
  )
}
