import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { aroundQuery, type Figures, MOST_VERSIONS, versionsQuery } from '../api/insight'
import { type Column, DataTable } from '../kit/DataTable'
import { Panel } from '../kit/Panel'
import { Branchings } from '../parts/Branchings'
import { WRITTEN } from '../parts/SignalStrip'
import { useSpan } from '../shell/useSpan'

type Version = { name: string; figures: Figures }
type Props = { service: string; versions: readonly string[] }

/** Which of a service's versions is slow or fails, and which Routes send calls to it. service: `namespace/name`. */
export function VersionsPanel({ service, versions }: Props) {
  const { t, i18n } = useTranslation()
  const span = useSpan()
  const asked = useQuery(versionsQuery(span, service, versions.slice(0, MOST_VERSIONS)))
  const around = useQuery(aroundQuery(span, service))
  const branchings = around.data?.nodes.find(({ id }) => id === service)?.branchings ?? []
  const columns: Column<Version>[] = [
    {
      id: 'version',
      title: t('instances.version'),
      sort: ({ name }) => name,
      cell: ({ name }) => name || '–',
    },
    ...(['rps', 'error_share', 'p50_ms', 'p95_ms'] as const).map((metric) => ({
      id: metric,
      title: t(`signals.${WRITTEN[metric].key}`),
      isNumber: true,
      sort: ({ figures }: Version) => figures[metric],
      cell: ({ figures }: Version) =>
        figures.calls > 0 || metric === 'rps' ? WRITTEN[metric].write(figures[metric], i18n.language) : '–',
    })),
  ]
  return (
    <section style={{ marginBottom: 16 }}>
      <h2 style={{ fontSize: 14 }}>{t('services.versions')}</h2>
      <Panel asked={asked} height={120}>
        {(found) => (
          <DataTable
            label={t('services.versions')}
            rows={found.versions.flatMap((name, at) => {
              const figures = found.figures[at]
              return figures ? [{ name, figures }] : []
            })}
            columns={columns}
            rowKey={({ name }) => name}
          />
        )}
      </Panel>
      {branchings.length > 0 && (
        <>
          <h3 style={{ fontSize: 14 }}>{t('map.branchings')}</h3>
          <Branchings branchings={branchings} />
          <p style={{ color: 'var(--muted)' }}>{t('services.toStop')}</p>
        </>
      )}
    </section>
  )
}
