import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '../api/client'
import type { Foreseen } from '../api/documents'
import { number } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Problem, told } from '../kit/Problem'

type Difference = Schemas['meshway.rehearsal.Difference']
type Fate = Schemas['Fate']

/** The recorded calls of the last hour, run through today's tables and through those with the change. */
export function RehearsalPanel({ rehearse }: { rehearse: () => Promise<Foreseen> }) {
  const { t, i18n } = useTranslation()
  const ask = useMutation({ mutationFn: rehearse })
  const rehearsal = ask.data?.rehearsal
  const columns: Column<Difference>[] = [
    { id: 'kind', title: t('rehearsal.becomes'), sort: (one) => one.kind, cell: (one) => t(`rehearsal.${one.kind}`) },
    {
      id: 'calls',
      title: t('rehearsal.calls'),
      isNumber: true,
      sort: (one) => one.calls,
      cell: (one) => number(one.calls, i18n.language),
    },
    { id: 'before', title: t('diff.before'), isWide: true, cell: (one) => fateText(one.before) },
    { id: 'after', title: t('diff.after'), isWide: true, cell: (one) => fateText(one.after) },
    {
      id: 'example',
      title: t('rehearsal.example'),
      isWide: true,
      cell: ({ examples: [one] }) => one && `${one.method} ${one.host}${one.path} ${one.caller ?? ''}`,
    },
  ]
  return (
    <section className="panel" aria-label={t('rehearsal.title')}>
      <h2>{t('rehearsal.title')}</h2>
      {!rehearsal && (
        <>
          <p style={{ marginTop: 0 }}>{t('rehearsal.about')}</p>
          {ask.error && <Problem problem={told(ask.error)} />}
          <Button variant="default" loading={ask.isPending} onClick={() => ask.mutate()}>
            {t('rehearsal.action')}
          </Button>
        </>
      )}
      {rehearsal && (
        <>
          <p style={{ marginTop: 0 }}>
            {t('rehearsal.summary', {
              calls: number(rehearsal.calls, i18n.language),
              same: number(rehearsal.same, i18n.language),
            })}
          </p>
          {rehearsal.from_disk && rehearsal.from_disk.length > 0 && (
            <p>{t('rehearsal.from_disk', { gateways: rehearsal.from_disk.join(', ') })}</p>
          )}
          {rehearsal.differences && rehearsal.differences.length > 0 && (
            <DataTable
              label={t('rehearsal.title')}
              rows={rehearsal.differences}
              columns={columns}
              rowKey={(one) => JSON.stringify([one.kind, one.before, one.after])}
            />
          )}
        </>
      )}
    </section>
  )
}

function fateText({ status, reason, to = [], route, document }: Fate): string {
  const answer = status ? `${status} ${reason ?? ''}` : ''
  return [answer, to.join(', '), route, document].filter(Boolean).join(' · ') || '–'
}
