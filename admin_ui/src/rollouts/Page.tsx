import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type RolloutSummary, rolloutsQuery } from '../api/rollouts'
import { useRights } from '../api/session'
import { percent } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { type Health, Status } from '../kit/Status'
import { LinkButton } from '../shell/LinkButton'
import { useNamespace } from '../shell/useNamespace'

const NEW = '+'
const HEALTH: Record<RolloutSummary['phase'], Health> = {
  starting: 'idle',
  running: 'ok',
  holding: 'warn',
  waiting: 'warn',
  promoted: 'ok',
  aborted: 'bad',
}

/** Which new versions are on their way, and how far. */
export function RolloutsPage() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const { isReadOnly, maySomewhere } = useRights()
  const asked = useQuery(rolloutsQuery)
  return (
    <>
      <PageHead title={t('nav.rollouts')} command={`meshway rollout status ${namespace ? `-n ${namespace}` : '-A'}`}>
        {!isReadOnly && maySomewhere('documents:write') && (
          <LinkButton
            to="/policies/$kind/$namespace/$name"
            params={{ kind: 'Rollout', namespace: namespace ?? 'default', name: NEW }}
          >
            {t('policies.new', { kind: 'Rollout' })}
          </LinkButton>
        )}
      </PageHead>
      <Panel asked={asked} height={200}>
        {(rollouts) => {
          const shown = namespace ? rollouts.filter((one) => one.namespace === namespace) : rollouts
          return shown.length === 0 ? (
            <Empty
              title={namespace ? t('rollouts.noneIn', { namespace }) : t('rollouts.none')}
              command="meshway apply -f rollout.yaml"
            />
          ) : (
            <RolloutTable rollouts={shown} />
          )
        }}
      </Panel>
    </>
  )
}

function RolloutTable({ rollouts }: { rollouts: readonly RolloutSummary[] }) {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const columns: Column<RolloutSummary>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: (one) => one.name,
      cell: (one) => (
        <Link to="/rollouts/$namespace/$rollout" params={paramsOf(one)}>
          {one.name}
        </Link>
      ),
    },
    { id: 'namespace', title: t('shell.namespace'), sort: (one) => one.namespace, cell: (one) => one.namespace },
    {
      id: 'phase',
      title: t('gateways.state'),
      sort: (one) => one.phase,
      cell: (one) => <PhaseStatus rollout={one} />,
    },
    {
      id: 'step',
      title: t('rollouts.step'),
      cell: (one) => t('rollouts.stepOf', { step: one.step + 1, count: one.step_count }),
    },
    {
      id: 'weight',
      title: t('rollouts.weight'),
      isNumber: true,
      sort: (one) => one.weight_percent,
      cell: (one) => percent(one.weight_percent / 100, i18n.language),
    },
    { id: 'canary', title: t('rollouts.canary'), sort: (one) => one.canary, cell: (one) => one.canary },
    { id: 'stable', title: t('rollouts.stable'), sort: (one) => one.stable, cell: (one) => one.stable },
    { id: 'why', title: t('rollouts.why'), isWide: true, cell: (one) => one.trouble || one.reason || '–' },
  ]
  return (
    <DataTable
      label={t('nav.rollouts')}
      rows={rollouts}
      columns={columns}
      rowKey={(one) => `${one.namespace}/${one.name}`}
      text={(one) => `${one.namespace}/${one.name} ${one.canary} ${one.stable} ${one.route}`}
      open={(one) => void navigate({ to: '/rollouts/$namespace/$rollout', params: paramsOf(one) })}
    />
  )
}

export function PhaseStatus({ rollout }: { rollout: RolloutSummary }) {
  const { t } = useTranslation()
  return (
    <Status health={rollout.trouble ? 'bad' : HEALTH[rollout.phase]}>{t(`rollouts.phase.${rollout.phase}`)}</Status>
  )
}

function paramsOf({ namespace, name }: RolloutSummary) {
  return { namespace, rollout: name }
}
