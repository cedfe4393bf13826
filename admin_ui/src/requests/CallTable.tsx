import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Call, requestQuery } from '../api/requests'
import { clock, millis, timeOfDay } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { type Health, Status } from '../kit/Status'

export type Row = { key: string | number; call: Call }
type Add = (field: string, value: string | number, isOut: boolean) => void

/** Calls, one a row. A value adds its term to the filter, with Shift what does not have it. */
export function CallTable({ label, rows, add }: { label: string; rows: readonly Row[]; add: Add }) {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const client = useQueryClient()
  // What came by the stream need not be one of those that are kept.
  const know = ({ call }: Row) => {
    const { queryKey } = requestQuery(call.request_id ?? '')
    client.setQueryData(queryKey, (known) => known ?? [call])
  }
  const columns: Column<Row>[] = [
    {
      id: 'time',
      title: t('requests.time'),
      sort: ({ call }) => call.time,
      cell: (row) => {
        const at = Date.parse(row.call.time)
        const text = <time title={clock(at, i18n.language)}>{timeOfDay(at, i18n.language)}</time>
        if (!row.call.request_id) return text
        return (
          <Link to="/requests/$id" params={{ id: row.call.request_id }} onClick={() => know(row)}>
            {text}
          </Link>
        )
      },
    },
    {
      id: 'status',
      title: t('requests.status'),
      sort: ({ call }) => call.status ?? 0,
      cell: ({ call }) => (
        <Status health={healthOf(call)}>
          <Term field="status" value={call.status ?? 0} add={add} />
          {call.grpc_status != null && <span>gRPC {call.grpc_status}</span>}
          {call.flag && <Term field="flag" value={call.flag} add={add} />}
        </Status>
      ),
    },
    { id: 'method', title: t('requests.method'), cell: ({ call }) => askedBy(call) },
    {
      id: 'path',
      title: t('requests.path'),
      isWide: true,
      cell: ({ call }) => `${call.authority}${call.path}` || call.listener,
    },
    {
      id: 'service',
      title: t('requests.service'),
      sort: ({ call }) => call.service ?? '',
      cell: ({ call }) => call.service && <Term field="service" value={call.service} add={add} />,
    },
    {
      id: 'caller',
      title: t('requests.caller'),
      sort: ({ call }) => callerOf(call).value,
      cell: ({ call }) => callerOf(call).value && <Term {...callerOf(call)} add={add} />,
    },
    {
      id: 'took',
      title: t('requests.took'),
      isNumber: true,
      sort: ({ call }) => call.duration_ms,
      cell: ({ call }) => millis(call.duration_ms, i18n.language),
    },
    {
      id: 'attempts',
      title: t('requests.attempts'),
      isNumber: true,
      sort: ({ call }) => call.attempts ?? 0,
      cell: ({ call }) => call.attempts,
    },
  ]
  return (
    <DataTable
      label={label}
      rows={rows}
      columns={columns}
      rowKey={({ key }) => String(key)}
      open={(row) => {
        if (!row.call.request_id) return
        know(row)
        void navigate({ to: '/requests/$id', params: { id: row.call.request_id } })
      }}
    />
  )
}

function Term({ field, value, add }: { field: string; value: string | number; add: Add }) {
  const { t } = useTranslation()
  return (
    <button
      type="button"
      className="term"
      title={t('requests.addTerm', { term: `${field}:${value}` })}
      onClick={(event) => add(field, value, event.shiftKey)}
    >
      {value}
    </button>
  )
}

function callerOf({ principal, peer }: Call): { field: string; value: string } {
  return principal ? { field: 'principal', value: principal } : { field: 'peer', value: peer ?? '' }
}

/** Method, and what is not plain of how it came; connections of bytes have the protocol alone. */
export function askedBy(call: Call): string {
  const marks = [call.protocol === 'HTTP/3' && call.protocol, isOfMessages(call) && 'WebSocket']
  return [call.method || call.protocol, ...marks].filter(Boolean).join(' · ')
}

/** Whether it became a WebSocket whose frames were looked at. */
export function isOfMessages({ close_code }: Call): boolean {
  return close_code != null
}

export function healthOf({ status = 0, flag }: Call): Health {
  if (status >= 500 || status === 0) return 'bad'
  return status >= 400 || flag ? 'warn' : 'ok'
}
