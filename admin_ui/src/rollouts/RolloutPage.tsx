import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { isOver, type Rollout, rolloutQuery } from '../api/rollouts'
import { clock, percent } from '../i18n/format'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { LinkButton } from '../shell/LinkButton'
import { Actions } from './Actions'
import { PhaseStatus } from './Page'
import { StepTable } from './StepTable'
import { TimeLine } from './TimeLine'

/** Is the new version good, and what becomes of it? */
export function RolloutPage() {
  const { namespace, rollout } = useParams({ from: '/rollouts/$namespace/$rollout' })
  const asked = useQuery(rolloutQuery(namespace, rollout))
  return (
    <Panel asked={asked} height={400}>
      {(told) => <Shown rollout={told} />}
    </Panel>
  )
}

function Shown({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation()
  const { namespace, name } = rollout
  return (
    <>
      <PageHead title={`${namespace} / ${name}`} command={`meshway rollout status ${name} -n ${namespace}`}>
        <PhaseStatus rollout={rollout} />
        <LinkButton
          variant="default"
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'Rollout', namespace, name }}
        >
          {t('services.editDocument')}
        </LinkButton>
        {!isOver(rollout.phase) && <Actions rollout={rollout} />}
      </PageHead>
      {rollout.trouble && (
        <p role="status" style={{ color: 'var(--bad)' }}>
          ■ {t('rollouts.standsStill', { why: rollout.trouble })}
        </p>
      )}
      {rollout.reason && <p role="status">{rollout.reason}</p>}
      <Facts rollout={rollout} />
      <h2 style={{ fontSize: 14 }}>{t('rollouts.steps')}</h2>
      <StepTable steps={rollout.steps} />
      <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('rollouts.timeLine')}</h2>
      <TimeLine events={rollout.events} />
    </>
  )
}

function Facts({ rollout }: { rollout: Rollout }) {
  const { t, i18n } = useTranslation()
  const { judge, namespace, route } = rollout
  const facts: [string, React.ReactNode][] = [
    [t('rollouts.canary'), rollout.canary],
    [t('rollouts.stable'), rollout.stable],
    [
      t('rollouts.route'),
      <Link key="route" to="/policies/$kind/$namespace/$name" params={{ kind: 'Route', namespace, name: route }}>
        {route} · {rollout.rule}
      </Link>,
    ],
    [t('rollouts.weight'), percent(rollout.weight_percent / 100, i18n.language)],
    [t('rollouts.control'), t(`rollouts.controls.${rollout.control}`)],
    [
      t('rollouts.allowed'),
      t('rollouts.allowedHow', {
        failures: judge.failure_percent_increase,
        p99: judge.p99_increase_percent,
        confidence: judge.confidence_percent,
      }),
    ],
    [t('rollouts.onFailure'), t(`rollouts.onFailures.${rollout.on_failure}`)],
    [t('rollouts.afterwards'), t(rollout.auto_promote ? 'rollouts.promotes' : 'rollouts.waits')],
    ...(rollout.due_at ? [[t('rollouts.due'), clock(rollout.due_at * 1000, i18n.language)] as [string, string]] : []),
  ]
  return (
    <dl className="facts">
      {facts.map(([title, value]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
