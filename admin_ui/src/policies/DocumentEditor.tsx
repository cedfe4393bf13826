import { Button, Group, NativeSelect, SegmentedControl } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { parse } from 'yaml'
import { type Change, isSame, openChange, openChangesQuery, type Part, writePart } from '../api/changes'
import { ApiProblem, api, take } from '../api/client'
import { type Document, foresee, type Kind } from '../api/documents'
import { keys } from '../api/keys'
import { useRights } from '../api/session'
import { NeedsButton } from '../kit/Needs'
import { Problem, told } from '../kit/Problem'
import { YamlEditor } from '../kit/YamlEditor'
import { completer } from './completion'
import { DocumentForm } from './DocumentForm'
import { faultOf } from './documentText'
import { openapiQuery } from './openapi'

type Props = {
  kind: Kind
  namespace: string
  /** undefined: it is new. */
  name?: string
  /** What is edited: as it is published, or as the change has it. */
  published: string
  /** The revision of what is edited; 0: it is new. undefined: the change's. */
  revision?: number
  /** That it belongs to already. */
  change?: Change
  isLocked?: boolean
}

const NEW = ''

/**
 * One text, shown as a form or as YAML. What is written goes into a change, a new one or one that is open, whose page
 * shows the difference and publishes it: that step is never skipped.
 */
export function DocumentEditor({ kind, namespace, name, published, revision, change, isLocked = false }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { may, isReadOnly } = useRights()
  const [base, setBase] = useState({ published, revision, change })
  const [text, setText] = useState(published)
  const [view, setView] = useState<'form' | 'yaml'>('yaml')
  const [into, setInto] = useState(NEW)
  const openapi = useQuery(openapiQuery)
  const open = useQuery(openChangesQuery)
  const complete = useMemo(() => completer(openapi.data, kind), [openapi.data, kind])
  const fault = useMemo(() => faultOf(text), [text])
  const mayWrite = may('documents:write', namespace) && !isReadOnly && !isLocked
  const hasMoved = published !== base.published
  const isChanged = text !== base.published || name === undefined

  const keep = useMutation({
    mutationFn: async (isDeleted: boolean) => {
      const part = isDeleted ? partOf(namespace, name ?? '', null) : await written()
      if (base.change) return writePart(base.change, part)
      if (into === NEW) return openChange(`${kind} ${part.namespace}/${part.name}`, [part])
      const joined = await take(api.GET('/v1/changes/{change}', { params: { path: { change: into } } }))
      return writePart(joined as Change, part)
    },
    onSuccess: async (kept) => {
      await client.invalidateQueries({ queryKey: keys.changes })
      await navigate({ to: '/changes/$revision', params: { revision: `d${kept.id}` } })
    },
  })

  /** Judged before it is kept: errors are told where it is written. Throws ApiProblem. */
  async function written(): Promise<Part> {
    await foresee(text)
    const { metadata } = parse(text) as Document
    return partOf(metadata.namespace ?? 'default', metadata.name, text)
  }

  function partOf(place: string, called: string, said: string | null): Part {
    return { kind, namespace: place, name: called, text: said, base_revision: base.revision }
  }

  function begin(next: Partial<typeof base>, said: string) {
    setBase({ published, revision, change, ...next })
    setText(said)
    keep.reset()
  }

  function write(next: string) {
    setText(next)
    keep.reset()
  }

  const isStale = keep.error instanceof ApiProblem && keep.error.status === 412
  const problem = isStale ? null : keep.error
  const errors = problem instanceof ApiProblem ? problem.errors : []
  const lines = errors.flatMap((one) => (one.line ? [one.line] : []))
  const faults = Object.fromEntries(errors.map((one) => [one.path, one.message]))
  const others = (open.data ?? []).filter((one) => one.id !== change?.id && one.state !== 'publishing')
  const beside = others.filter((one) =>
    one.documents.some((each) => isSame(each, { kind, namespace, name: name ?? '' })),
  )
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      {beside.map((one) => (
        <p key={one.id} className="panel" style={{ margin: 0 }}>
          {t('editor.beside', { who: one.editors.join(', ') })}{' '}
          <Link
            to="/policies/$kind/$namespace/$name"
            params={{ kind, namespace, name: name ?? '' }}
            search={(seen) => ({ ...seen, change: Number(one.id) })}
          >
            {t('editor.join', { title: one.title })}
          </Link>
        </p>
      ))}
      {(hasMoved || isStale) && (
        <div role="alert" className="panel" style={{ borderColor: 'var(--warn)' }}>
          {t(change ? 'editor.changeMoved' : 'editor.moved')}{' '}
          <Button variant="default" size="compact-xs" onClick={() => begin({}, published)}>
            {t('editor.takeTheirs')}
          </Button>{' '}
          {hasMoved && (
            <Button variant="default" size="compact-xs" onClick={() => begin({}, text)}>
              {t('editor.keepMine')}
            </Button>
          )}
        </div>
      )}
      <Group>
        <SegmentedControl
          size="xs"
          aria-label={t('editor.view')}
          value={view}
          onChange={(value) => setView(value as typeof view)}
          data={[
            { value: 'yaml', label: 'YAML' },
            { value: 'form', label: t('editor.form'), disabled: fault !== null },
          ]}
        />
      </Group>
      {view === 'yaml' || fault !== null ? (
        <YamlEditor
          label={t('editor.text', { kind })}
          value={text}
          onChange={write}
          complete={complete}
          isReadOnly={!mayWrite}
          fault={fault ? t('editor.fault', fault) : undefined}
          lines={lines}
        />
      ) : (
        <DocumentForm
          text={text}
          change={write}
          openapi={openapi.data}
          kind={kind}
          isNew={name === undefined}
          isReadOnly={!mayWrite}
          faults={faults}
        />
      )}
      {problem && <Problem problem={told(problem)} />}
      <Group gap="sm" align="end">
        {change === undefined && others.length > 0 && mayWrite && (
          <NativeSelect
            label={t('editor.into')}
            value={into}
            data={[
              { value: NEW, label: t('editor.newChange') },
              ...others.map((one) => ({ value: one.id, label: `${one.id} ${one.title}` })),
            ]}
            onChange={(event) => setInto(event.currentTarget.value)}
          />
        )}
        <NeedsButton
          may={mayWrite}
          right="documents:write"
          namespace={namespace}
          disabled={!isChanged || fault !== null}
          loading={keep.isPending}
          onClick={() => keep.mutate(false)}
        >
          {t('editor.compare')}
        </NeedsButton>
        {isChanged && name !== undefined && (
          <Button variant="default" onClick={() => write(base.published)}>
            {t('editor.discard')}
          </Button>
        )}
        {name !== undefined && mayWrite && (
          <Button variant="default" loading={keep.isPending} onClick={() => keep.mutate(true)}>
            {t('editor.delete')}
          </Button>
        )}
      </Group>
    </div>
  )
}
