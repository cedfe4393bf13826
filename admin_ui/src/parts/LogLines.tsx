import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { LogLine } from '../api/logs'
import { clock, utc } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { type Health, Status } from '../kit/Status'

const HEALTH: Record<string, Health> = { warn: 'warn', error: 'bad', fatal: 'bad' }

type Props = { label: string; lines: readonly LogLine[]; hasService?: boolean }

/** Lines of logs, the youngest first, as they were given. */
export function LogLines({ label, lines, hasService }: Props) {
  const { t, i18n } = useTranslation()
  const rows = useMemo(() => {
    const seen = new Map<string, number>()
    return lines.map((line) => {
      const name = `${line.time}-${line.service}-${line.instance ?? ''}-${line.span_id ?? ''}`
      const times = (seen.get(name) ?? 0) + 1
      seen.set(name, times)
      return { key: `${name}-${times}`, line }
    })
  }, [lines])
  const columns = useMemo(() => {
    const all: (Column<(typeof rows)[number]> | false | undefined)[] = [
      {
        id: 'time',
        title: t('requests.time'),
        cell: ({ line }) => {
          const at = Date.parse(line.time)
          return (
            <time dateTime={line.time} title={utc(at)}>
              {clock(at, i18n.language)}
            </time>
          )
        },
        sort: ({ line }) => line.time,
      },
      {
        id: 'severity',
        title: t('logs.severity'),
        cell: ({ line }) => (
          <Status health={HEALTH[line.severity ?? ''] ?? 'idle'}>
            {line.severity ? t(`logs.${line.severity as 'info'}`) : '–'}
          </Status>
        ),
      },
      hasService && { id: 'service', title: t('requests.service'), cell: ({ line }) => <ServiceName line={line} /> },
      { id: 'instance', title: t('requests.instance'), cell: ({ line }) => line.instance },
      { id: 'text', title: t('logs.text'), isWide: true, cell: ({ line }) => <Text line={line} /> },
      {
        id: 'trace',
        title: t('requests.trace'),
        cell: ({ line }) =>
          line.trace_id && (
            <Link to="/requests" search={{ filter: `trace:${line.trace_id}` }} title={line.trace_id}>
              {line.trace_id.slice(0, 8)}
            </Link>
          ),
      },
    ]
    return all.filter((one) => !!one)
  }, [t, i18n.language, hasService])
  return <DataTable label={label} rows={rows} columns={columns} rowKey={(row) => row.key} />
}

function Text({ line }: { line: LogLine }) {
  const about = Object.entries(line.attributes ?? {})
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
  return (
    <span lang="" title={[line.logger, line.text, about].filter(Boolean).join('\n')} style={{ whiteSpace: 'pre-wrap' }}>
      {line.text} <span style={{ color: 'var(--muted)' }}>{about}</span>
    </span>
  )
}

function ServiceName({ line }: { line: LogLine }) {
  const [namespace = '', service = ''] = line.service.split('/')
  return (
    <Link to="/services/$namespace/$service" params={{ namespace, service }}>
      {line.service}
    </Link>
  )
}
