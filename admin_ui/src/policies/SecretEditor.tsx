import { Button, Group } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { parse } from 'yaml'
import { ApiProblem } from '../api/client'
import { type Document, type Foreseen, foresee, type Kind, put, remove } from '../api/documents'
import { useRights } from '../api/session'
import { Confirm } from '../kit/Confirm'
import { FieldDiff } from '../kit/FieldDiff'
import { NeedsButton } from '../kit/Needs'
import { Problem, told } from '../kit/Problem'
import { YamlEditor } from '../kit/YamlEditor'
import { EffectPanel } from '../parts/EffectPanel'
import { completer } from './completion'
import { faultOf } from './documentText'
import { openapiQuery } from './openapi'

type Props = { kind: Kind; namespace: string; name?: string; published: string; etag: string }

/**
 * What no change keeps, since its text would lie in the clear: compared and published from here. A document that moved
 * meanwhile (412) is compared anew.
 */
export function SecretEditor({ kind, namespace, name, published, etag }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { may, isReadOnly } = useRights()
  const [base, setBase] = useState({ published, etag })
  const [text, setText] = useState(published)
  const [isDeleting, setDeleting] = useState(false)
  const openapi = useQuery(openapiQuery)
  const complete = useMemo(() => completer(openapi.data, kind), [openapi.data, kind])
  const fault = useMemo(() => faultOf(text), [text])
  const compare = useMutation({ mutationFn: () => foresee(text) })
  const publish = useMutation({
    mutationFn: async () => {
      const document = parse(text) as Document
      await put({ ...document, metadata: { namespace, ...document.metadata } }, base.etag)
      return document
    },
    onSuccess: async (document) => {
      await client.invalidateQueries({ queryKey: ['documents', kind] })
      await client.invalidateQueries({ queryKey: ['revisions'] })
      compare.reset()
      await navigate({
        to: '/policies/$kind/$namespace/$name',
        params: { kind, namespace: document.metadata.namespace ?? namespace, name: document.metadata.name },
      })
    },
  })
  const isStale = publish.error instanceof ApiProblem && publish.error.status === 412
  const hasMoved = published !== base.published
  const isChanged = text !== base.published || name === undefined
  const mayWrite = may('documents:write', namespace)

  function takeTheirs() {
    setBase({ published, etag })
    setText(published)
    compare.reset()
    publish.reset()
  }

  function change(next: string) {
    setText(next)
    compare.reset()
    publish.reset()
  }

  const problem = compare.error ?? (isStale ? null : publish.error)
  const lines = problem instanceof ApiProblem ? problem.errors.flatMap((one) => (one.line ? [one.line] : [])) : []
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      {(hasMoved || isStale) && (
        <div role="alert" className="panel" style={{ borderColor: 'var(--warn)' }}>
          {t('editor.moved')}{' '}
          <Button variant="default" size="compact-xs" onClick={takeTheirs}>
            {t('editor.takeTheirs')}
          </Button>{' '}
          {hasMoved && (
            <Button
              variant="default"
              size="compact-xs"
              onClick={() => {
                setBase({ published, etag })
                compare.reset()
                publish.reset()
              }}
            >
              {t('editor.keepMine')}
            </Button>
          )}
        </div>
      )}
      <YamlEditor
        label={t('editor.text', { kind })}
        value={text}
        onChange={change}
        complete={complete}
        isReadOnly={isReadOnly || !mayWrite}
        fault={fault ? t('editor.fault', fault) : undefined}
        lines={lines}
      />
      {problem && <Problem problem={told(problem)} />}
      {publish.data && <p role="status">{t('editor.published', { name: publish.data.metadata.name })}</p>}
      <Group gap="sm">
        <NeedsButton
          may={mayWrite && !isReadOnly}
          right="documents:write"
          namespace={namespace}
          disabled={!isChanged || fault !== null}
          loading={compare.isPending}
          variant={compare.data ? 'default' : 'filled'}
          onClick={() => compare.mutate()}
        >
          {t('editor.compare')}
        </NeedsButton>
        {isChanged && name !== undefined && (
          <Button variant="default" onClick={() => change(base.published)}>
            {t('editor.discard')}
          </Button>
        )}
        {name !== undefined && mayWrite && !isReadOnly && (
          <Button variant="default" onClick={() => setDeleting(true)}>
            {t('editor.delete')}
          </Button>
        )}
      </Group>
      {compare.data && (
        <Difference applied={compare.data} publish={() => publish.mutate()} isPublishing={publish.isPending} />
      )}
      {name !== undefined && (
        <Confirm
          title={t('editor.delete')}
          action={t('editor.delete')}
          name={name}
          isOpen={isDeleting}
          close={() => setDeleting(false)}
          act={async () => {
            await remove(kind, namespace, name, base.etag)
            await client.invalidateQueries({ queryKey: ['documents', kind] })
            await navigate({ to: '/policies/$kind', params: { kind } })
          }}
        >
          {t('editor.deleteEffect', { kind, name: `${namespace}/${name}` })}
        </Confirm>
      )}
    </div>
  )
}

function Difference({
  applied,
  publish,
  isPublishing,
}: {
  applied: Foreseen
  publish: () => void
  isPublishing: boolean
}) {
  const { t } = useTranslation()
  const changed = applied.documents.filter((one) => one.result !== 'unchanged')
  return (
    <section aria-label={t('editor.difference')} style={{ display: 'grid', gap: 12 }}>
      <h2 style={{ fontSize: 14, margin: 0 }}>{t('editor.difference')}</h2>
      {changed.length === 0 ? <p>{t('editor.nothing')}</p> : <FieldDiff documents={changed} />}
      {(applied.warnings ?? []).map((one) => (
        <div key={one.code + one.path + one.document} className="panel" style={{ borderColor: 'var(--warn)' }}>
          ▲ <code>{one.code}</code> {one.document} {one.path} {one.message}
        </div>
      ))}
      {changed.length > 0 && applied.effect && <EffectPanel effect={applied.effect} />}
      {changed.length > 0 && (
        <Group>
          <Button loading={isPublishing} onClick={publish}>
            {t('editor.publish')}
          </Button>
        </Group>
      )}
    </section>
  )
}
