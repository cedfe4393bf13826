import { Button, Group } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Change, changeQuery, deleteChange, foreseenQuery, rehearseChange, takeBack } from '../api/changes'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { FieldDiff } from '../kit/FieldDiff'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { Problem, told } from '../kit/Problem'
import { Since } from '../kit/Since'
import { EffectPanel } from '../parts/EffectPanel'
import { RehearsalPanel } from '../parts/RehearsalPanel'
import { MovedPanel } from './MovedPanel'
import { PublishPanel } from './PublishPanel'
import { ReviewPanel } from './ReviewPanel'
import { WatchPanel } from './WatchPanel'

/** A change on its way: difference, effect, publishing, watching; none of them can be skipped. */
export function ChangePage({ id }: { id: string }) {
  const { t } = useTranslation()
  const asked = useQuery(changeQuery(id))
  return (
    <>
      <PageHead title={`${t('nav.changes')} / ${id}${asked.data ? ` “${asked.data.title}”` : ''}`}>
        {asked.data && <Actions change={asked.data} />}
      </PageHead>
      <Panel asked={asked} height={240}>
        {(change) => (
          <div style={{ display: 'grid', gap: 12 }}>
            <About change={change} />
            {change.state === 'published' ? <WatchPanel change={change} /> : <Foreseen change={change} />}
          </div>
        )}
      </Panel>
    </>
  )
}

function Actions({ change }: { change: Change }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { may, isReadOnly } = useRights()
  const [isDeleting, setDeleting] = useState(false)
  const [fault, setFault] = useState<unknown>(null)
  const mayWrite = !isReadOnly && change.documents.every((one) => may('documents:write', one.namespace))
  if (!mayWrite) return null

  async function undo() {
    try {
      const back = await takeBack(change.id)
      await client.invalidateQueries({ queryKey: keys.changes })
      await navigate({ to: '/changes/$revision', params: { revision: `d${back.id}` } })
    } catch (problem) {
      setFault(problem)
    }
  }

  if (change.state === 'published') {
    return (
      <>
        <Button variant="default" onClick={() => void undo()}>
          {t('drafts.takeBack')}
        </Button>
        {fault !== null && <Problem problem={told(fault)} />}
      </>
    )
  }
  return (
    <>
      <Button variant="default" onClick={() => setDeleting(true)}>
        {t('drafts.delete')}
      </Button>
      <Confirm
        title={t('drafts.delete')}
        action={t('drafts.delete')}
        isOpen={isDeleting}
        close={() => setDeleting(false)}
        act={async () => {
          await deleteChange(change)
          await client.invalidateQueries({ queryKey: keys.changes })
          await navigate({ to: '/changes' })
        }}
      >
        {t('drafts.deleteEffect')}
      </Confirm>
    </>
  )
}

function About({ change }: { change: Change }) {
  const { t } = useTranslation()
  return (
    <section className="panel" aria-label={t('drafts.about')}>
      <p style={{ margin: 0 }}>
        <strong>{t(`drafts.states.${change.state}`)}</strong> · {change.editors.join(', ')} ·{' '}
        <Since at={Date.parse(change.updated_at)} />
        {change.revision !== undefined && change.revision !== null && (
          <>
            {' · '}
            <Link to="/changes/$revision" params={{ revision: String(change.revision) }}>
              r{change.revision}
            </Link>
          </>
        )}
        {change.takes_back && (
          <>
            {' · '}
            <Link to="/changes/$revision" params={{ revision: `d${change.takes_back}` }}>
              {t('drafts.takesBack', { id: change.takes_back })}
            </Link>
          </>
        )}
      </p>
      {change.message && <p style={{ marginBottom: 0 }}>{change.message}</p>}
      {change.approvals_waived && <p style={{ marginBottom: 0 }}>▲ {t('drafts.waived')}</p>}
      <ul style={{ marginBottom: 0, paddingInlineStart: 20 }}>
        {change.documents.map((one) => (
          <li key={`${one.kind}/${one.namespace}/${one.name}`}>
            {one.is_deleted ? '− ' : ''}
            {one.kind} {one.namespace}/{one.name}{' '}
            {change.state !== 'published' && !one.is_deleted && (
              <Link
                to="/policies/$kind/$namespace/$name"
                params={{ kind: one.kind, namespace: one.namespace, name: one.name }}
                search={(view) => ({ ...view, change: Number(change.id) })}
              >
                {t('drafts.edit')}
              </Link>
            )}
            {one.text && (
              <details open={change.state !== 'published' && one.base_revision === 0}>
                <summary>{t('drafts.text')}</summary>
                <pre style={{ margin: 0, overflowX: 'auto' }}>{one.text}</pre>
              </details>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Foreseen({ change }: { change: Change }) {
  const { t } = useTranslation()
  const asked = useQuery(foreseenQuery(change))
  return (
    <Panel asked={asked} height={160}>
      {(foreseen) => {
        const changed = foreseen.documents.filter((one) => one.result !== 'unchanged')
        return (
          <>
            {foreseen.moved && foreseen.moved.length > 0 && <MovedPanel change={change} moved={foreseen.moved} />}
            <section aria-label={t('editor.difference')} style={{ display: 'grid', gap: 12 }}>
              <h2 style={{ fontSize: 14, margin: 0 }}>{t('editor.difference')}</h2>
              {changed.length === 0 ? <p>{t('editor.nothing')}</p> : <FieldDiff documents={changed} />}
              {(foreseen.warnings ?? []).map((one) => (
                <div key={one.code + one.path + one.document} className="panel" style={{ borderColor: 'var(--warn)' }}>
                  ▲ <code>{one.code}</code> {one.document} {one.path} {one.message}
                </div>
              ))}
            </section>
            {changed.length > 0 && foreseen.effect && <EffectPanel effect={foreseen.effect} />}
            {changed.length > 0 && <RehearsalPanel rehearse={() => rehearseChange(change)} />}
            <Group gap="sm" align="start">
              <ReviewPanel change={change} />
            </Group>
            {changed.length > 0 && <PublishPanel change={change} foreseen={foreseen} />}
          </>
        )
      }}
    </Panel>
  )
}
