import { useTranslation } from 'react-i18next'
import type { Measure, Step } from '../api/rollouts'
import { duration, millis, number, percent } from '../i18n/format'
import { type Health, Status } from '../kit/Status'
import { signed } from './figures'

const HEALTH: Record<NonNullable<Measure['verdict']>, Health> = {
  better: 'ok',
  same: 'ok',
  worse: 'bad',
  not_enough_data: 'unknown',
}

/** Each step with what was asked, what was measured, and the canary against its control. */
export function StepTable({ steps }: { steps: readonly Step[] }) {
  const { t } = useTranslation()
  const titles = ['step', 'asked', 'measured', 'calls', 'failures', 'p99', 'verdict'] as const
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways on a small screen, by the keyboard too
    <section className="table-box" aria-label={t('rollouts.steps')} tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            {titles.map((title) => (
              <th key={title} scope="col">
                {t(`rollouts.${title}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <StepRow key={step.step} step={step} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function StepRow({ step }: { step: Step }) {
  const { t, i18n } = useTranslation()
  const language = i18n.language
  const { measures } = step
  const verdict = measures?.verdict ?? 'not_enough_data'
  return (
    <tr aria-current={step.state === 'running' ? 'step' : undefined}>
      <td>
        {step.step + 1} · {t(`rollouts.states.${step.state}`)}
      </td>
      <td>
        {percent(step.weight_percent / 100, language)} · {duration(step.hold_s, language)}
      </td>
      <td>
        {typeof measures?.measured_percent === 'number' ? percent(measures.measured_percent / 100, language) : '–'}
      </td>
      <td>
        {t('rollouts.callsOf', {
          calls: number(measures?.canary?.calls ?? 0, language),
          needed: number(step.requests_needed, language),
        })}
      </td>
      <td>
        <Failures step={step} />
      </td>
      <td>
        <Latency step={step} />
      </td>
      <td>{measures ? <Status health={HEALTH[verdict]}>{t(`rollouts.verdicts.${verdict}`)}</Status> : '–'}</td>
    </tr>
  )
}

function Failures({ step }: { step: Step }) {
  const { t, i18n } = useTranslation()
  const { canary, control } = step.measures ?? {}
  if (!canary?.calls || !control?.calls) return '–'
  const share = (value?: number) => percent((value ?? 0) / 100, i18n.language)
  return (
    <>
      {t('rollouts.against', { canary: share(canary.failure_percent), control: share(control.failure_percent) })}
      <Difference measure={step.measures?.measures?.find(({ name }) => name === 'failures')} isPoints />
    </>
  )
}

function Latency({ step }: { step: Step }) {
  const { t, i18n } = useTranslation()
  const { canary, control } = step.measures ?? {}
  if (typeof canary?.p99_ms !== 'number' || typeof control?.p99_ms !== 'number') return '–'
  return (
    <>
      {t('rollouts.against', {
        canary: millis(canary.p99_ms, i18n.language),
        control: millis(control.p99_ms, i18n.language),
      })}
      <Difference measure={step.measures?.measures?.find(({ name }) => name === 'p99')} />
    </>
  )
}

/** The canary's difference to its control, between which bounds it is, and what it may be. */
function Difference({ measure, isPoints = false }: { measure?: Measure; isPoints?: boolean }) {
  const { t, i18n } = useTranslation()
  if (typeof measure?.difference !== 'number') return null
  const told = t('rollouts.difference', {
    difference: signed(measure.difference, i18n.language),
    low: signed(measure.low, i18n.language),
    high: signed(measure.high, i18n.language),
    allowed: number(measure.allowed ?? 0, i18n.language),
  })
  return <div style={{ color: 'var(--muted)' }}>{isPoints ? t('rollouts.points', { value: told }) : `${told} %`}</div>
}
