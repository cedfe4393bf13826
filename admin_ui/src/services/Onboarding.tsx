import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { isAtEdge, routesTo } from '../api/concerning'
import { documentsQuery } from '../api/documents'
import type { Instance } from '../api/services'
import { useRights } from '../api/session'
import { CopyCommand } from '../kit/CopyCommand'
import { Status } from '../kit/Status'

type Props = { namespace: string; service: string; instances: readonly Instance[] }

/** Registered, renewing, routed: each step with its mend, until all are done. */
export function Onboarding({ namespace, service, instances }: Props) {
  const { t } = useTranslation()
  const { may } = useRights()
  const routes = useQuery({ ...documentsQuery('Route'), enabled: may('documents:read', namespace) })
  const isRegistered = instances.length > 0
  const isRenewing = instances.some((one) => one.status === 'passing' && !one.unrenewed)
  const isRouted =
    routes.data === undefined ? null : routesTo(routes.data.filter(isAtEdge), namespace, service).length > 0
  const steps = [
    { key: 'registered', isDone: isRegistered, mend: `meshway register ${service} -n ${namespace} --port 9080` },
    { key: 'renewing', isDone: isRenewing, mend: `meshway instances ${service} -n ${namespace}` },
    { key: 'routed', isDone: isRouted, mend: `meshway call ${service}.${namespace}/` },
  ] as const
  const next = steps.find((step) => step.isDone === false)
  return (
    <section className="panel" aria-label={t('onboarding.title')}>
      <ol className="steps">
        {steps.map((step) => (
          <li key={step.key}>
            <Status
              health={step.isDone ? 'ok' : step.isDone === null ? 'unknown' : step.key === 'routed' ? 'idle' : 'warn'}
            >
              {t(`onboarding.${step.key}`)}
              {step.isDone ? ' ✓' : ''}
            </Status>
          </li>
        ))}
      </ol>
      {next && (
        <div style={{ marginTop: 8 }}>
          <p style={{ margin: '0 0 8px' }}>{t(`onboarding.${next.key}Mend`)}</p>
          <CopyCommand text={next.mend} />
        </div>
      )}
    </section>
  )
}
