import { useQueries } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { POLICY_KINDS, policiesFor, routesTo } from '../api/concerning'
import { documentsQuery } from '../api/documents'
import { Panel } from '../kit/Panel'
import { useRoutes } from './useRoutes'

/** Routes that lead here, and the policies on a call to it, in the order a gateway runs them. */
export function InForcePanel({ namespace, service }: { namespace: string; service: string }) {
  const { t } = useTranslation()
  const routes = useRoutes(namespace)
  const policies = useQueries({
    queries: POLICY_KINDS.map((kind) => documentsQuery(kind)),
    combine: (results) => ({
      data: results.every((one) => one.data) ? results.map((one) => one.data ?? []) : undefined,
      error: results.find((one) => one.error)?.error ?? null,
      refetch: () => Promise.all(results.map((one) => one.refetch())),
    }),
  })
  return (
    <div style={{ display: 'grid', gap: 16 }}>
      <section>
        <h2 style={{ fontSize: 14 }}>{t('services.routesHere')}</h2>
        <Panel asked={routes}>
          {(found) => {
            const here = routesTo(found, namespace, service)
            if (here.length === 0) return <p>{t('services.noRoutes')}</p>
            return (
              <ul>
                {here.map(({ document, rules }) => (
                  <li key={`${document.kind}/${document.metadata.namespace}/${document.metadata.name}`}>
                    {document.kind}{' '}
                    <DocumentLink
                      kind={document.kind}
                      namespace={document.metadata.namespace}
                      name={document.metadata.name}
                    />{' '}
                    {rules.length > 0 && t('services.byRules', { rules: rules.join(', ') })}
                  </li>
                ))}
              </ul>
            )
          }}
        </Panel>
      </section>
      <section>
        <h2 style={{ fontSize: 14 }}>{t('services.policiesHere')}</h2>
        <Panel asked={policies}>
          {(found) => {
            const here = found.flatMap((documents) => policiesFor(documents, namespace, service))
            if (here.length === 0) return <p>{t('services.noPolicies')}</p>
            return (
              <ol>
                {here.map(({ document, target, width }) => (
                  <li key={`${document.kind}/${document.metadata.namespace}/${document.metadata.name}/${target}`}>
                    {document.kind}{' '}
                    <DocumentLink
                      kind={document.kind}
                      namespace={document.metadata.namespace}
                      name={document.metadata.name}
                    />{' '}
                    <span style={{ color: 'var(--muted)' }}>
                      {width === 'service' ? t('services.own') : t('services.inherited')} · {target}
                    </span>
                  </li>
                ))}
              </ol>
            )
          }}
        </Panel>
      </section>
    </div>
  )
}

function DocumentLink({ kind, namespace = 'default', name }: { kind: string; namespace?: string; name: string }) {
  return (
    <Link to="/policies/$kind/$namespace/$name" params={{ kind, namespace, name }}>
      {namespace}/{name}
    </Link>
  )
}
