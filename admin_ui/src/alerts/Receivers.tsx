import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type ReceiverState, receiversQuery, testReceiver } from '../api/alerts'
import { useRights } from '../api/session'
import { number } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { Panel } from '../kit/Panel'
import { Problem, told } from '../kit/Problem'
import { Since } from '../kit/Since'
import { type Health, Status } from '../kit/Status'
import { LinkButton } from '../shell/LinkButton'

/** Who is told, how the last messages fared, and whether one would arrive now. */
export function Receivers({ namespace }: { namespace: string | undefined }) {
  const { t, i18n } = useTranslation()
  const { may, maySomewhere, isReadOnly } = useRights()
  const asked = useQuery(receiversQuery)
  const test = useMutation({ mutationFn: (one: ReceiverState) => testReceiver(one.namespace, one.name) })
  const columns: Column<ReceiverState>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: nameOf,
      cell: (one) => (
        <Link
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'Receiver', namespace: one.namespace, name: one.name }}
        >
          {nameOf(one)}
        </Link>
      ),
    },
    { id: 'by', title: t('alerts.by'), sort: (one) => one.by, cell: (one) => one.by },
    {
      id: 'last',
      title: t('alerts.lastMessage'),
      sort: (one) => one.at ?? 0,
      cell: (one) => (one.at ? <Since at={one.at * 1000} /> : t('tokens.never')),
    },
    {
      id: 'result',
      title: t('alerts.result'),
      isWide: true,
      cell: (one) => <Status health={healthOf(one)}>{one.detail || t('alerts.nothingSent')}</Status>,
    },
    {
      id: 'sent',
      title: t('alerts.sent'),
      isNumber: true,
      sort: (one) => one.sent ?? 0,
      cell: (one) => number(one.sent ?? 0, i18n.language),
    },
    {
      id: 'failed',
      title: t('alerts.failedTries'),
      isNumber: true,
      sort: (one) => one.failed ?? 0,
      cell: (one) => number(one.failed ?? 0, i18n.language),
    },
    {
      id: 'test',
      title: t('alerts.action'),
      cell: (one) =>
        may('documents:write', one.namespace) ? (
          <Button
            variant="default"
            size="compact-sm"
            loading={test.isPending && test.variables === one}
            onClick={() => test.mutate(one)}
          >
            {t('alerts.test')}
            <span style={{ position: 'absolute', left: -9999 }}> {nameOf(one)}</span>
          </Button>
        ) : (
          '–'
        ),
    },
  ]
  const action = !isReadOnly && maySomewhere('documents:write') && (
    <LinkButton to="/policies/$kind" params={{ kind: 'Receiver' }}>
      {t('alerts.newReceiver')}
    </LinkButton>
  )
  return (
    <>
      {test.data && test.variables && (
        <p role="status" className="panel">
          <Status health={test.data.ok ? 'ok' : 'bad'}>
            {t(test.data.ok ? 'alerts.testArrived' : 'alerts.testFailed', { receiver: nameOf(test.variables) })}
          </Status>{' '}
          {test.data.detail}
          {test.data.answer && (
            <>
              : <code>{test.data.answer}</code>
            </>
          )}
        </p>
      )}
      {test.error && <Problem problem={told(test.error)} />}
      <Panel asked={asked} height={200}>
        {(receivers) => {
          const shown = namespace ? receivers.filter((one) => one.namespace === namespace) : receivers
          if (shown.length === 0) {
            return (
              <Empty title={t('alerts.noReceivers')} command="meshway receiver list -A">
                <div style={{ marginBottom: 8 }}>{action}</div>
              </Empty>
            )
          }
          return (
            <DataTable
              label={t('alerts.receivers')}
              rows={shown}
              columns={columns}
              rowKey={nameOf}
              text={(one) => `${nameOf(one)} ${one.detail ?? ''}`}
              actions={action}
            />
          )
        }}
      </Panel>
    </>
  )
}

function nameOf(one: ReceiverState): string {
  return `${one.namespace}/${one.name}`
}

function healthOf(one: ReceiverState): Health {
  if (one.ok == null) return 'idle'
  return one.ok ? 'ok' : 'bad'
}
