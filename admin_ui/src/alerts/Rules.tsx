import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Document, documentsQuery } from '../api/documents'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { LinkButton } from '../shell/LinkButton'
import { TryDialog } from './TryDialog'

/** Alerts that people wrote; those that are built in are always there besides. */
export function Rules({ namespace }: { namespace: string | undefined }) {
  const { t } = useTranslation()
  const { maySomewhere, isReadOnly } = useRights()
  const asked = useQuery(documentsQuery('Alert'))
  const [tried, setTried] = useState<{ namespace: string; query: string } | null>(null)
  const columns: Column<Document>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: nameOf,
      cell: (one) => (
        <Link
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'Alert', namespace: spaceOf(one), name: one.metadata.name }}
        >
          {nameOf(one)}
        </Link>
      ),
    },
    { id: 'query', title: t('alerts.query'), isWide: true, cell: (one) => <code>{queryOf(one) || '–'}</code> },
    {
      id: 'severity',
      title: t('alerts.severity'),
      cell: (one) => t(`alerts.severities.${severityOf(one)}`),
    },
    {
      id: 'receivers',
      title: t('alerts.receivers'),
      cell: (one) => (one.spec.receivers as string[] | undefined)?.join(', ') || 'mesh/default',
    },
    {
      id: 'state',
      title: t('gateways.state'),
      cell: (one) => (one.spec.enabled === false ? t('alerts.off') : t('alerts.on')),
    },
    {
      id: 'try',
      title: t('alerts.action'),
      cell: (one) =>
        queryOf(one) ? (
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => setTried({ namespace: spaceOf(one), query: queryOf(one) })}
          >
            {t('alerts.try')}
            <span style={{ position: 'absolute', left: -9999 }}> {nameOf(one)}</span>
          </Button>
        ) : (
          '–'
        ),
    },
  ]
  const actions = (
    <>
      <Button variant="default" onClick={() => setTried({ namespace: namespace ?? 'default', query: '' })}>
        {t('alerts.tryNew')}
      </Button>
      {!isReadOnly && maySomewhere('documents:write') && (
        <LinkButton to="/policies/$kind" params={{ kind: 'Alert' }}>
          {t('alerts.newRule')}
        </LinkButton>
      )}
    </>
  )
  return (
    <>
      <p style={{ marginTop: 0 }}>{t('alerts.builtIn')}</p>
      <Panel asked={asked} height={200}>
        {(documents) => {
          const shown = namespace ? documents.filter((one) => one.metadata.namespace === namespace) : documents
          if (shown.length === 0) {
            return (
              <Empty title={t('alerts.noRules')} command="meshway get alerts -A">
                <div style={{ display: 'flex', gap: 8, marginBottom: 8 }}>{actions}</div>
              </Empty>
            )
          }
          return (
            <DataTable
              label={t('alerts.rules')}
              rows={shown}
              columns={columns}
              rowKey={nameOf}
              text={(one) => `${nameOf(one)} ${queryOf(one)}`}
              actions={actions}
            />
          )
        }}
      </Panel>
      <TryDialog tried={tried} close={() => setTried(null)} />
    </>
  )
}

function spaceOf(document: Document): string {
  return document.metadata.namespace ?? 'default'
}

function nameOf(document: Document): string {
  return `${spaceOf(document)}/${document.metadata.name}`
}

function queryOf(document: Document): string {
  return (document.spec.query as string | undefined) ?? ''
}

function severityOf(document: Document) {
  return (document.spec.severity as 'info' | 'warning' | 'critical' | undefined) ?? 'warning'
}
