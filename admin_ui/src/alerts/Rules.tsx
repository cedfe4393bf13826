import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type AlertRule, alertRulesQuery } from '../api/alerts'
import { useRights } from '../api/session'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { LinkButton } from '../shell/LinkButton'
import { TryDialog } from './TryDialog'

/** What alerts are judged by: what is built in, as documents change it, and what people wrote. */
export function Rules({ namespace }: { namespace: string | undefined }) {
  const { t } = useTranslation()
  const { maySomewhere, isReadOnly } = useRights()
  const asked = useQuery(alertRulesQuery(namespace))
  const [tried, setTried] = useState<{ namespace: string; query: string } | null>(null)
  const columns: Column<AlertRule>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: nameOf,
      cell: (one) =>
        one.written ? (
          <Link
            to="/policies/$kind/$namespace/$name"
            params={{ kind: 'Alert', namespace: one.namespace, name: one.name }}
          >
            {nameOf(one)}
          </Link>
        ) : (
          nameOf(one)
        ),
    },
    { id: 'query', title: t('alerts.query'), isWide: true, cell: (one) => <code>{one.query}</code> },
    {
      id: 'severity',
      title: t('alerts.severity'),
      cell: (one) => t(`alerts.severities.${one.severity}`),
    },
    {
      id: 'receivers',
      title: t('alerts.receivers'),
      cell: (one) => one.receivers.join(', ') || t('alerts.nobody'),
    },
    {
      id: 'origin',
      title: t('alerts.origin'),
      sort: (one) => (one.builtin ? 1 : 0),
      cell: (one) =>
        one.builtin ? (one.written ? t('alerts.builtInChanged') : t('alerts.isBuiltIn')) : t('alerts.isWritten'),
    },
    {
      id: 'state',
      title: t('gateways.state'),
      cell: (one) => (one.enabled ? t('alerts.on') : t('alerts.off')),
    },
    {
      id: 'try',
      title: t('alerts.action'),
      cell: (one) => (
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => setTried({ namespace: one.namespace, query: one.query })}
        >
          {t('alerts.try')}
          <span style={{ position: 'absolute', left: -9999 }}> {nameOf(one)}</span>
        </Button>
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
        {(rules) =>
          rules.length === 0 ? (
            <Empty title={t('alerts.noRules')} command="meshway alert rules -A">
              <div style={{ display: 'flex', gap: 8, marginBottom: 8 }}>{actions}</div>
            </Empty>
          ) : (
            <DataTable
              label={t('alerts.rules')}
              rows={rules}
              columns={columns}
              rowKey={nameOf}
              text={(one) => `${nameOf(one)} ${one.query}`}
              actions={actions}
            />
          )
        }
      </Panel>
      <TryDialog tried={tried} close={() => setTried(null)} />
    </>
  )
}

function nameOf(rule: AlertRule): string {
  return `${rule.namespace}/${rule.name}`
}
