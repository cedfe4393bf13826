import { Button } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Alert, healthOfAlert } from '../api/alerts'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'
import { AlertDetail } from './AlertDetail'

/** Alerts, and below them what is known of the one that is opened: it stands in the URL. */
export function AlertTable({
  label,
  alerts,
  silence,
}: {
  label: string
  alerts: readonly Alert[]
  silence?: (alert: Alert) => void
}) {
  const { t } = useTranslation()
  const { may } = useRights()
  const navigate = useNavigate()
  const opened = useSearch({ from: '/alerts', select: (search) => search.alert })
  const shown = alerts.find((one) => one.id === opened)
  const open = (id: string | undefined) =>
    void navigate({ to: '/alerts', search: (before) => ({ ...before, alert: id }), resetScroll: false })
  const columns: Column<Alert>[] = [
    {
      id: 'severity',
      title: t('alerts.severity'),
      sort: (one) => ['critical', 'warning', 'info'].indexOf(one.severity ?? 'warning'),
      cell: (one) => <Status health={healthOfAlert(one)}>{t(`alerts.severities.${one.severity ?? 'warning'}`)}</Status>,
    },
    {
      id: 'alert',
      title: t('alerts.alert'),
      sort: (one) => one.name,
      cell: (one) => (
        <Button
          variant="subtle"
          size="compact-sm"
          px={0}
          aria-expanded={one.id === opened}
          onClick={() => open(one.id === opened ? undefined : one.id)}
        >
          {one.name}
        </Button>
      ),
    },
    { id: 'about', title: t('alerts.about'), isWide: true, cell: (one) => one.summary || labelsText(one) },
    {
      id: 'since',
      title: t('alerts.since'),
      sort: (one) => one.fired_at ?? one.active_at,
      cell: (one) => <Since at={(one.fired_at ?? one.active_at) * 1000} />,
    },
    ...(alerts.some((one) => one.resolved_at)
      ? [
          {
            id: 'until',
            title: t('alerts.until'),
            sort: (one: Alert) => one.resolved_at ?? 0,
            cell: (one: Alert) => (one.resolved_at ? <Since at={one.resolved_at * 1000} /> : '–'),
          },
        ]
      : []),
    ...(silence
      ? [
          {
            id: 'silence',
            title: t('alerts.action'),
            cell: (one: Alert) =>
              may('alerts:silence', one.labels?.namespace ?? '*') ? (
                <Button variant="default" size="compact-sm" onClick={() => silence(one)}>
                  {t('alerts.silence')}
                  <span style={{ position: 'absolute', left: -9999 }}> {one.name}</span>
                </Button>
              ) : (
                '–'
              ),
          },
        ]
      : []),
  ]
  return (
    <>
      <DataTable
        label={label}
        rows={alerts}
        columns={columns}
        rowKey={(one) => one.id}
        text={(one) => `${one.name} ${one.summary ?? ''} ${labelsText(one)}`}
        open={(one) => open(one.id)}
      />
      {shown && <AlertDetail alert={shown} />}
    </>
  )
}

function labelsText(alert: Alert): string {
  return Object.entries(alert.labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}
