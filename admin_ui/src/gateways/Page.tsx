import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Gateway, gatewaysQuery } from '../api/gateways'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { type Health, Status } from '../kit/Status'

/** Is every gateway at the head, and what does one refuse or keep calls away from? */
export function GatewaysPage() {
  const { t } = useTranslation()
  const asked = useQuery(gatewaysQuery)
  return (
    <>
      <PageHead title={t('nav.gateways')} command="meshway get gateways" />
      <Panel asked={asked} height={200}>
        {(gateways) =>
          gateways.length === 0 ? (
            <Empty title={t('gateways.none')} command="meshway gateway serve" />
          ) : (
            <>
              <GatewayTable gateways={gateways} />
              <Troubles gateways={gateways} />
            </>
          )
        }
      </Panel>
    </>
  )
}

function healthOf(one: Gateway, head: number): Health {
  if (!one.live) return 'bad'
  return one.refused.length > 0 || one.revision < head ? 'warn' : 'ok'
}

function GatewayTable({ gateways }: { gateways: readonly Gateway[] }) {
  const { t } = useTranslation()
  const head = Math.max(...gateways.map((one) => one.revision))
  const columns: Column<Gateway>[] = [
    { id: 'node', title: t('gateways.node'), sort: (one) => one.node, cell: (one) => one.node },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: (one) => healthOf(one, head),
      cell: (one) => (
        <Status health={healthOf(one, head)}>
          {!one.live ? t('gateways.silent') : one.revision < head ? t('gateways.behind') : t('gateways.atHead')}
        </Status>
      ),
    },
    {
      id: 'revision',
      title: t('changes.revision'),
      isNumber: true,
      sort: (one) => one.revision,
      cell: (one) => `r${one.revision}`,
    },
    {
      id: 'heard',
      title: t('gateways.heard'),
      isNumber: true,
      sort: (one) => one.last_report_s,
      cell: (one) => `${Math.round(one.last_report_s)} s`,
    },
    {
      id: 'workers',
      title: t('gateways.workers'),
      isNumber: true,
      sort: (one) => one.workers,
      cell: (one) => one.workers,
    },
    { id: 'zone', title: t('instances.zone'), sort: (one) => one.zone, cell: (one) => one.zone || '–' },
    { id: 'version', title: t('instances.version'), sort: (one) => one.version, cell: (one) => one.version || '–' },
    { id: 'edge', title: t('gateways.edge'), cell: (one) => one.edge || '–' },
    { id: 'mesh', title: t('gateways.mesh'), cell: (one) => one.mesh || '–' },
  ]
  return (
    <DataTable
      label={t('nav.gateways')}
      rows={gateways}
      columns={columns}
      rowKey={(one) => one.node}
      text={(one) => `${one.node} ${one.zone} ${one.version}`}
    />
  )
}

/** What gateways refused to run, and what they keep calls away from; nothing when there is nothing. */
function Troubles({ gateways }: { gateways: readonly Gateway[] }) {
  const { t } = useTranslation()
  const refused = gateways.flatMap((one) => one.refused.map((each) => ({ node: one.node, ...each })))
  const kept = gateways.flatMap((one) => [
    ...one.ejected.map((name) => `${one.node}: ${t('gateways.ejects', { name })}`),
    ...(one.open_breakers ?? []).map((name) => `${one.node}: ${t('gateways.breaker', { name })}`),
    ...(one.mass_removal_guard > 0 ? [`${one.node}: ${t('gateways.guard', { count: one.mass_removal_guard })}`] : []),
    ...(one.limits_alone ? [`${one.node}: ${t('gateways.alone', { why: one.limits_alone })}`] : []),
  ])
  return (
    <>
      {refused.length > 0 && (
        <section className="panel" style={{ marginTop: 16, borderColor: 'var(--bad)' }}>
          <h2>{t('gateways.refused')}</h2>
          <ul>
            {refused.map((one) => (
              <li key={`${one.node}/${one.kind}/${one.namespace}/${one.name}/${one.path}`}>
                {one.node}:{' '}
                <Link
                  to="/policies/$kind/$namespace/$name"
                  params={{ kind: one.kind, namespace: one.namespace, name: one.name }}
                >
                  {one.kind} {one.namespace}/{one.name}
                </Link>{' '}
                {one.path && <code>{one.path}</code>} {one.reason}
              </li>
            ))}
          </ul>
        </section>
      )}
      {kept.length > 0 && (
        <section className="panel" style={{ marginTop: 16, borderColor: 'var(--warn)' }}>
          <h2>{t('gateways.kept')}</h2>
          <ul>
            {kept.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </section>
      )}
    </>
  )
}
