import { useTranslation } from 'react-i18next'
import { carriesBytes, isAtEdge, routesTo } from '../api/concerning'
import type { Instance, Service } from '../api/services'
import { CopyCommand } from '../kit/CopyCommand'
import { Status } from '../kit/Status'
import { useRoutes } from './useRoutes'

type Props = { namespace: string; service: string; spec: Service['spec']; instances: readonly Instance[] }

/** Registered, renewing, routed: each step with its mend, until all are done. */
export function Onboarding({ namespace, service, spec, instances }: Props) {
  const { t } = useTranslation()
  const routes = useRoutes(namespace)
  const isRegistered = instances.length > 0
  const isRenewing = instances.some((one) => one.status === 'passing' && !one.unrenewed)
  const here = routesTo((routes.data ?? []).filter(isAtEdge), namespace, service)
  const isRouted = routes.data === undefined ? null : here.length > 0
  const isOfBytes = carriesBytes(spec, here)
  const steps = [
    { key: 'registered', isDone: isRegistered, mend: `meshway register ${service} -n ${namespace} --port 9080` },
    { key: 'renewing', isDone: isRenewing, mend: `meshway instances ${service} -n ${namespace}` },
    {
      key: 'routed',
      isDone: isRouted,
      mend: isOfBytes ? 'meshway apply -f tcproute.yaml' : `meshway call ${service}.${namespace}/`,
    },
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
          <p style={{ margin: '0 0 8px' }}>
            {next.key === 'routed' && isOfBytes ? t('onboarding.routedBytesMend') : t(`onboarding.${next.key}Mend`)}
          </p>
          <CopyCommand text={next.mend} />
        </div>
      )}
    </section>
  )
}
