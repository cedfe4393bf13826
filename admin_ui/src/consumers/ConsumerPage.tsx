import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  type ConsumerKey,
  type ConsumerSpec,
  consumerUsesQuery,
  keysOf,
  putConsumer,
  specOf,
  withoutKey,
} from '../api/consumers'
import { type Document, documentQuery } from '../api/documents'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { number } from '../i18n/format'
import { Confirm } from '../kit/Confirm'
import { Empty } from '../kit/Empty'
import { NeedsButton } from '../kit/Needs'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { LinkButton } from '../shell/LinkButton'
import { TimeBar } from '../shell/TimeBar'
import { useSpan } from '../shell/useSpan'
import { KeyDialog, type Wanted } from './KeyDialog'
import { KeyTable } from './KeyTable'
import { Standing } from './Page'
import { othersOf } from './quotas'
import { UsePanel } from './Use'

/** One outside client: its keys, its limits, what it called. */
export function ConsumerPage() {
  const { namespace, consumer } = useParams({ from: '/consumers/$namespace/$consumer' })
  const asked = useQuery(documentQuery('Consumer', namespace, consumer))
  return (
    <Panel asked={asked} height={400}>
      {({ document }) => <Shown document={document} namespace={namespace} name={consumer} />}
    </Panel>
  )
}

function Shown({ document, namespace, name }: { document: Document; namespace: string; name: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { may } = useRights()
  const [wanted, setWanted] = useState<Wanted | null>(null)
  const [revoked, setRevoked] = useState<ConsumerKey | null>(null)
  const [isSuspending, setSuspending] = useState(false)
  const spec = specOf(document)
  const isSuspended = spec.suspended ?? false
  const mayWrite = may('documents:write', namespace)

  async function write(next: ConsumerSpec) {
    await putConsumer(document, next)
    await client.invalidateQueries({ queryKey: keys.documents('Consumer') })
  }

  const verb = isSuspended ? 'resume' : 'suspend'
  return (
    <>
      <PageHead title={`${namespace} / ${name}`} command={`meshway consumer key create ${name} -n ${namespace}`}>
        <Standing isSuspended={isSuspended} />
        <LinkButton
          variant="default"
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'Consumer', namespace, name }}
        >
          {t('services.editDocument')}
        </LinkButton>
        <NeedsButton
          variant="default"
          may={mayWrite}
          right="documents:write"
          namespace={namespace}
          onClick={() => setSuspending(true)}
        >
          {t(`consumers.${verb}`)}
        </NeedsButton>
      </PageHead>
      <TimeBar />
      <Facts namespace={namespace} name={name} spec={spec} />
      <h2 style={{ fontSize: 14 }}>{t('consumers.keys')}</h2>
      <Keys namespace={namespace} name={name} spec={spec} mayWrite={mayWrite} give={setWanted} revoke={setRevoked} />
      <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('consumers.use')}</h2>
      <UsePanel namespace={namespace} name={name} />
      <KeyDialog wanted={wanted} spec={spec} write={write} close={() => setWanted(null)} />
      <Confirm
        title={t('tokens.revoke')}
        action={t('tokens.revoke')}
        isOpen={revoked !== null}
        close={() => setRevoked(null)}
        act={async () => {
          if (revoked) await write(withoutKey(spec, revoked.id))
        }}
      >
        {t('consumers.revokeEffect', { id: revoked?.id ?? '', name })}
      </Confirm>
      <Confirm
        title={t(`consumers.${verb}`)}
        action={t(`consumers.${verb}`)}
        isOpen={isSuspending}
        close={() => setSuspending(false)}
        act={() => write({ ...spec, suspended: !isSuspended })}
      >
        {t(`consumers.${verb}Effect`, { name })}
      </Confirm>
    </>
  )
}

function useUse(namespace: string, name: string) {
  const uses = useQuery(consumerUsesQuery(useSpan()))
  return uses.data?.find((one) => one.namespace === namespace && one.name === name)
}

function Facts({ namespace, name, spec }: { namespace: string; name: string; spec: ConsumerSpec }) {
  const { t, i18n } = useTranslation()
  const use = useUse(namespace, name)
  const others = othersOf(spec)
  const facts: [string, string][] = [
    [t('consumers.groups'), (spec.groups ?? []).join(', ')],
    [t('consumers.others'), others.join(', ')],
    ...Object.entries(spec.metadata ?? {}),
    ...(['calls', 'limited', 'denied', 'failed'] as const).map((count): [string, string] => [
      t(`consumers.${count}`),
      number(use?.calls[count] ?? 0, i18n.language),
    ]),
  ]
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== '')
        .map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

type KeysProps = {
  namespace: string
  name: string
  spec: ConsumerSpec
  mayWrite: boolean
  give: (wanted: Wanted) => void
  revoke: (key: ConsumerKey) => void
}

function Keys({ namespace, name, spec, mayWrite, give, revoke }: KeysProps) {
  const { t } = useTranslation()
  const use = useUse(namespace, name)
  const own = keysOf(spec)
  const action = mayWrite && <Button onClick={() => give({})}>{t('consumers.newKey')}</Button>
  if (own.length === 0) {
    return (
      <Empty title={t('consumers.noKeys')} command={`meshway consumer key create ${name} -n ${namespace}`}>
        {action}
      </Empty>
    )
  }
  return (
    <KeyTable
      keys={own}
      use={use}
      rotate={mayWrite ? ({ id }) => give({ replaces: id }) : undefined}
      revoke={mayWrite ? revoke : undefined}
      action={action}
    />
  )
}
