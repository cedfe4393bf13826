import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '../api/client'
import { type Column, DataTable } from '../kit/DataTable'
import { Status } from '../kit/Status'

type Explanation = Schemas['Explanation']
type Endpoint = Schemas['EndpointState']

/** By whose word: a document, and the place in it. */
function By({ document, path }: { document: string; path?: string }) {
  const [, kind, namespace, name] = /^(\w+) ([^/]+)\/(.+)$/.exec(document) ?? []
  const at = path ? <code> {path}</code> : null
  if (kind === undefined || namespace === undefined || name === undefined) {
    return (
      <span style={{ color: 'var(--muted)' }}>
        {document}
        {at}
      </span>
    )
  }
  return (
    <>
      <Link to="/policies/$kind/$namespace/$name" params={{ kind, namespace, name }}>
        {document}
      </Link>
      {at}
    </>
  )
}

/** The rule that takes the call, what each policy says of it, and where it goes. */
export function Answer({ explanation }: { explanation: Explanation }) {
  const { t } = useTranslation()
  const { matched, tried = [], filters = [], destinations = [], picked, answered, settings = [] } = explanation
  return (
    <div style={{ display: 'grid', gridTemplateColumns: 'minmax(0, 1fr)', gap: 16 }}>
      <section className="panel" aria-label={t('explain.verdict')}>
        <h2>
          {answered ? (
            <Status health={answered.status >= 400 ? 'bad' : 'ok'}>
              {t('explain.answered', { status: answered.status, reason: answered.reason })}
            </Status>
          ) : picked ? (
            <Status health="ok">{t('explain.goes', { service: picked.service, address: picked.address })}</Status>
          ) : (
            <Status health="unknown">{t('explain.nowhere')}</Status>
          )}
        </h2>
        {answered && (
          <p>
            <By document={answered.document} path={answered.path} /> {answered.detail}
          </p>
        )}
        <p style={{ marginBottom: 0 }}>
          {explanation.method} {explanation.host}
          {explanation.path} · {explanation.listener} · {t('explain.caller')} {explanation.caller} ·{' '}
          {explanation.gateway} r{explanation.revision}
        </p>
      </section>
      {(matched || tried.length > 0) && (
        <section className="panel">
          <h2>{t('explain.rule')}</h2>
          <ol>
            {tried.map((one) => (
              <li key={`${one.document}/${one.rule}`}>
                <By document={one.document} /> {one.rule}: {one.failed}
              </li>
            ))}
            {matched && (
              <li>
                ✓ <By document={matched.document} path={matched.path} /> {explanation.rule}
              </li>
            )}
          </ol>
        </section>
      )}
      {filters.length > 0 && (
        <section className="panel">
          <h2>{t('explain.filters')}</h2>
          <ol>
            {filters.map((one) => (
              <li key={`${one.document}/${one.path}/${one.name}`}>
                {one.name}: {one.verdict} {one.detail} <By document={one.document} path={one.path} />
              </li>
            ))}
          </ol>
        </section>
      )}
      {destinations.map((one) => (
        <section key={one.service} className="panel">
          <h2>
            {one.service} · {one.share_percent} % · {one.admission}
          </h2>
          <Endpoints label={one.service} endpoints={one.endpoints ?? []} />
        </section>
      ))}
      {settings.length > 0 && (
        <section className="panel">
          <h2>{t('explain.settings')}</h2>
          <ul>
            {settings.map((one) => (
              <li key={one.field}>
                <code>{one.field}</code> {one.value} <By document={one.document} path={one.path} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

function Endpoints({ label, endpoints }: { label: string; endpoints: readonly Endpoint[] }) {
  const { t } = useTranslation()
  const columns: Column<Endpoint>[] = [
    { id: 'id', title: 'id', sort: (one) => one.id, cell: (one) => one.id },
    { id: 'address', title: t('instances.address'), cell: (one) => one.address },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => one.state,
      cell: (one) => (
        <Status health={one.eligible ? 'ok' : 'warn'}>
          {one.state} {one.why}
        </Status>
      ),
    },
    { id: 'weight', title: t('instances.weight'), isNumber: true, cell: (one) => one.weight },
    { id: 'share', title: t('explain.share'), isNumber: true, cell: (one) => `${one.share_percent ?? 0} %` },
  ]
  if (endpoints.length === 0) return <p>{t('services.noInstances')}</p>
  return <DataTable label={label} rows={endpoints} columns={columns} rowKey={(one) => one.id} />
}
