import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type ConsumerUse, consumerUsesQuery, keysOf, specOf } from '../api/consumers'
import { type Document, documentsQuery } from '../api/documents'
import { useRights } from '../api/session'
import { number } from '../i18n/format'
import { type Column, DataTable } from '../kit/DataTable'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Since } from '../kit/Since'
import { Status } from '../kit/Status'
import { TimeBar } from '../shell/TimeBar'
import { useNamespace } from '../shell/useNamespace'
import { useSpan } from '../shell/useSpan'
import { NewConsumer } from './NewConsumer'

/** Who calls from outside, by what, and how much. */
export function ConsumersPage() {
  const { t } = useTranslation()
  const namespace = useNamespace()
  const { isReadOnly, maySomewhere } = useRights()
  const asked = useQuery(documentsQuery('Consumer'))
  const uses = useQuery(consumerUsesQuery(useSpan()))
  const [isNew, setNew] = useState(false)
  const action = !isReadOnly && maySomewhere('documents:write') && (
    <Button onClick={() => setNew(true)}>{t('consumers.new')}</Button>
  )
  return (
    <>
      <PageHead title={t('nav.consumers')} command={`meshway get consumers ${namespace ? `-n ${namespace}` : '-A'}`}>
        {action}
      </PageHead>
      <TimeBar />
      <Panel asked={asked} height={320}>
        {(documents) => {
          const shown = namespace ? documents.filter((one) => one.metadata.namespace === namespace) : documents
          if (shown.length === 0) {
            return (
              <Empty
                title={namespace ? t('consumers.noneIn', { namespace }) : t('consumers.none')}
                command={`meshway consumer key create acme -n ${namespace ?? 'default'}`}
              />
            )
          }
          return <ConsumerTable consumers={shown} uses={uses.data ?? []} />
        }}
      </Panel>
      <NewConsumer namespace={namespace ?? 'default'} isOpen={isNew} close={() => setNew(false)} />
    </>
  )
}

type Row = { document: Document; use?: ConsumerUse }

function ConsumerTable({ consumers, uses }: { consumers: readonly Document[]; uses: readonly ConsumerUse[] }) {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const byName = new Map(uses.map((use) => [`${use.namespace}/${use.name}`, use]))
  const rows = consumers.map((document) => ({ document, use: byName.get(nameOf(document)) }))
  const count = (id: string, title: string, of: (use: ConsumerUse) => number): Column<Row> => ({
    id,
    title,
    isNumber: true,
    sort: ({ use }) => (use ? of(use) : 0),
    cell: ({ use }) => (use ? number(of(use), i18n.language) : '–'),
  })
  const columns: Column<Row>[] = [
    {
      id: 'name',
      title: t('services.name'),
      sort: ({ document }) => document.metadata.name,
      cell: ({ document }) => (
        <Link to="/consumers/$namespace/$consumer" params={paramsOf(document)}>
          {document.metadata.name}
        </Link>
      ),
    },
    {
      id: 'namespace',
      title: t('shell.namespace'),
      sort: ({ document }) => document.metadata.namespace ?? '',
      cell: ({ document }) => document.metadata.namespace,
    },
    {
      id: 'state',
      title: t('gateways.state'),
      sort: ({ document }) => Number(specOf(document).suspended ?? false),
      cell: ({ document }) => <Standing isSuspended={specOf(document).suspended ?? false} />,
    },
    {
      id: 'keys',
      title: t('consumers.keys'),
      isNumber: true,
      sort: ({ document }) => keysOf(specOf(document)).length,
      cell: ({ document }) => keysOf(specOf(document)).length,
    },
    count('calls', t('consumers.calls'), ({ calls }) => calls.calls ?? 0),
    count('limited', t('consumers.limited'), ({ calls }) => calls.limited ?? 0),
    count('denied', t('consumers.denied'), ({ calls }) => calls.denied ?? 0),
    count('failed', t('consumers.failed'), ({ calls }) => calls.failed ?? 0),
    {
      id: 'used',
      title: t('consumers.lastUsed'),
      sort: ({ use }) => use?.last_used ?? 0,
      cell: ({ use }) => (use?.last_used ? <Since at={use.last_used * 1000} /> : t('tokens.never')),
    },
  ]
  return (
    <DataTable
      label={t('nav.consumers')}
      rows={rows}
      columns={columns}
      rowKey={({ document }) => nameOf(document)}
      text={({ document }) => `${nameOf(document)} ${(specOf(document).groups ?? []).join(' ')}`}
      open={({ document }) => void navigate({ to: '/consumers/$namespace/$consumer', params: paramsOf(document) })}
    />
  )
}

export function Standing({ isSuspended }: { isSuspended: boolean }) {
  const { t } = useTranslation()
  return (
    <Status health={isSuspended ? 'warn' : 'ok'}>{t(isSuspended ? 'consumers.suspended' : 'consumers.letIn')}</Status>
  )
}

function nameOf({ metadata }: Document): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}

function paramsOf({ metadata }: Document) {
  return { namespace: metadata.namespace ?? 'default', consumer: metadata.name }
}
