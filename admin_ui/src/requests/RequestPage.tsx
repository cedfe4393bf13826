import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { type Call, requestQuery, traceQuery } from '../api/requests'
import { useRights } from '../api/session'
import { clock, millis, number, utc } from '../i18n/format'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Status } from '../kit/Status'
import { healthOf, isOfMessages } from './CallTable'
import { TraceLogs } from './TraceLogs'
import { TraceView } from './TraceView'

/** What happened to one request: where it went and why, its attempts, and its trace. */
export function RequestPage() {
  const { t } = useTranslation()
  const { id } = useParams({ from: '/requests/$id' })
  const { maySomewhere } = useRights()
  const asked = useQuery(requestQuery(id))
  const trace = asked.data?.find((one) => one.trace_id)?.trace_id
  return (
    <>
      <PageHead
        title={
          <>
            {t('requests.one')} <code style={{ fontSize: 14, overflowWrap: 'anywhere' }}>{id}</code>
          </>
        }
        command={trace ? `meshway trace ${trace}` : `meshway requests -A request:${id}`}
      />
      <Panel asked={asked} height={240}>
        {(calls) => (
          <div style={{ display: 'grid', gridTemplateColumns: 'minmax(0, 1fr)', gap: 16 }}>
            {calls.map((call) => (
              <OneCall key={`${call.time}-${call.node}-${call.listener}`} call={call} />
            ))}
            {trace && <TracePanel id={trace} />}
            {trace && maySomewhere('logs:read') && <TraceLogs id={trace} />}
          </div>
        )}
      </Panel>
    </>
  )
}

function OneCall({ call }: { call: Call }) {
  const { t, i18n } = useTranslation()
  const at = Date.parse(call.time)
  const facts: [string, ReactNode][] = [
    [t('requests.time'), `${clock(at, i18n.language)} · ${utc(at)}`],
    [t('requests.took'), millis(call.duration_ms, i18n.language)],
    [t('requests.firstByte'), call.first_byte_ms != null && millis(call.first_byte_ms, i18n.language)],
    [t('requests.caller'), call.principal || call.peer],
    [
      t('requests.listener'),
      [call.listener, call.protocol, isOfMessages(call) && 'WebSocket'].filter(Boolean).join(' · '),
    ],
    [t('requests.route'), call.route && <RouteLink call={call} name={call.route} />],
    [t('requests.service'), call.service && <ServiceLink name={call.service} />],
    [t('requests.instance'), call.instance],
    [t('requests.cache'), call.cache],
    [t('requests.grpcStatus'), call.grpc_status != null && String(call.grpc_status)],
    [t('requests.messages'), messagesOf(call, i18n.language)],
    [t('requests.closed'), call.close_code != null && (call.close_code || t('requests.cut'))],
    [t('requests.policy'), call.policy],
    [t('requests.why'), [call.reason, call.detail].filter(Boolean).join(': ')],
    [
      t('requests.bytes'),
      `${number(call.bytes_in ?? 0, i18n.language)} / ${number(call.bytes_out ?? 0, i18n.language)}`,
    ],
    [t('gateways.node'), call.node],
  ]
  // Connections of bytes have no method, and many no name.
  const name = `${call.method || call.protocol} ${`${call.authority}${call.path}` || call.listener}`
  const tried = (call.attempts_detail ?? []) as { instance?: string; began_ms?: number }[]
  return (
    <section className="panel" aria-label={name}>
      <h2 style={{ overflowWrap: 'anywhere' }}>{name}</h2>
      <p style={{ margin: '0 0 8px' }}>
        <Status health={healthOf(call)}>
          {call.status || t('requests.noAnswer')} {call.flag}
        </Status>
      </p>
      <dl className="facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      <h3 style={{ fontSize: 13, margin: '8px 0 4px' }}>{t('requests.tries', { count: call.attempts ?? 0 })}</h3>
      {tried.length > 0 && (
        <ol style={{ margin: 0 }}>
          {tried.map((one) => (
            <li key={`${one.instance}-${one.began_ms}`}>
              {t('requests.try', { instance: one.instance, after: millis(one.began_ms ?? 0, i18n.language) })}
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

/** Of a WebSocket whose frames were looked at. */
function messagesOf({ messages_in: came, messages_out: went }: Call, language: string): string {
  return came == null || went == null ? '' : `${number(came, language)} / ${number(went, language)}`
}

function TracePanel({ id }: { id: string }) {
  const { t } = useTranslation()
  const asked = useQuery(traceQuery(id))
  return (
    <section className="panel">
      <h2 style={{ overflowWrap: 'anywhere' }}>
        {t('requests.trace')} <code>{id}</code>
      </h2>
      <Panel asked={asked} height={120}>
        {({ spans }) =>
          spans.length === 0 ? <p style={{ margin: 0 }}>{t('requests.noSpans')}</p> : <TraceView spans={spans} />
        }
      </Panel>
    </section>
  )
}

/** No link where the name alone does not lead to a document: there is none, or it is of one of two kinds. */
function RouteLink({ call, name }: { call: Call; name: string }) {
  const [namespace = '', own = ''] = name.split('/')
  const isWritten = !own.startsWith('implicit:') && call.protocol !== 'TCP'
  const kind = call.protocol === 'UDP' ? 'UdpRoute' : 'Route'
  return (
    <>
      {isWritten ? (
        <Link to="/policies/$kind/$namespace/$name" params={{ kind, namespace, name: own }}>
          {name}
        </Link>
      ) : (
        name
      )}{' '}
      {call.rule}
    </>
  )
}

function ServiceLink({ name }: { name: string }) {
  const [namespace = '', service = ''] = name.split('/')
  return (
    <Link to="/services/$namespace/$service" params={{ namespace, service }}>
      {name}
    </Link>
  )
}
