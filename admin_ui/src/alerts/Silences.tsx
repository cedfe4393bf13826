import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { endSilence, type Silence, silencesQuery } from '../api/alerts'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { clock } from '../i18n/format'
import { Confirm } from '../kit/Confirm'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'

/** Of which alerts nobody is told, until when, by whom, and why. */
export function Silences({ namespace }: { namespace: string | undefined }) {
  const { t, i18n } = useTranslation()
  const { may } = useRights()
  const client = useQueryClient()
  const asked = useQuery(silencesQuery(namespace))
  const [ended, setEnded] = useState<Silence | null>(null)
  const columns: Column<Silence>[] = [
    {
      id: 'matchers',
      title: t('alerts.covers'),
      isWide: true,
      cell: (one) => <code>{matchersText(one)}</code>,
    },
    { id: 'namespace', title: t('shell.namespace'), sort: (one) => one.namespace, cell: (one) => one.namespace },
    { id: 'reason', title: t('alerts.reason'), isWide: true, cell: (one) => one.reason },
    { id: 'by', title: t('changes.who'), sort: (one) => one.created_by, cell: (one) => one.created_by },
    {
      id: 'until',
      title: t('alerts.until'),
      sort: (one) => one.until,
      cell: (one) => clock(one.until * 1000, i18n.language),
    },
    {
      id: 'end',
      title: t('alerts.action'),
      cell: (one) =>
        may('alerts:silence', one.namespace) ? (
          <Button variant="default" size="compact-sm" onClick={() => setEnded(one)}>
            {t('alerts.end')}
            <span style={{ position: 'absolute', left: -9999 }}> {matchersText(one)}</span>
          </Button>
        ) : (
          '–'
        ),
    },
  ]
  return (
    <>
      <Panel asked={asked} height={160}>
        {(silences) =>
          silences.length === 0 ? (
            <Empty title={t('alerts.noSilences')} command="meshway alert silence service=books --for 2h --reason …" />
          ) : (
            <DataTable
              label={t('alerts.silences')}
              rows={silences}
              columns={columns}
              rowKey={(one) => one.id}
              text={(one) => `${matchersText(one)} ${one.reason} ${one.created_by}`}
            />
          )
        }
      </Panel>
      <Confirm
        title={t('alerts.endTitle')}
        action={t('alerts.end')}
        isOpen={ended !== null}
        close={() => setEnded(null)}
        act={async () => {
          if (ended) await endSilence(ended.id)
          await client.invalidateQueries({ queryKey: keys.silences })
          await client.invalidateQueries({ queryKey: keys.alerts })
        }}
      >
        {t('alerts.endEffect')} <code>{ended && matchersText(ended)}</code>
      </Confirm>
    </>
  )
}

function matchersText({ matchers }: Silence): string {
  return matchers.map(({ name, op, value }) => `${name}${op ?? '='}${value}`).join(' ')
}
