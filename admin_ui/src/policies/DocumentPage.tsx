import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { changeQuery, isSame } from '../api/changes'
import { documentQuery, isKind, type Kind } from '../api/documents'
import { documentHistoryQuery } from '../api/revisions'
import { useRights } from '../api/session'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { RevisionList } from '../parts/RevisionList'
import { NotFound } from '../shell/Root'
import { DocumentEditor } from './DocumentEditor'
import { blank, likeOf, managerOf, yamlOf } from './documentText'
import { SecretEditor } from './SecretEditor'

const NEW = '+'

/** One document: what it says, how that is changed, and how it came to be. change: that it is edited in. */
export function DocumentPage() {
  const { kind, namespace, name } = useParams({ from: '/policies/$kind/$namespace/$name' })
  const { change, like } = useSearch({ from: '/policies/$kind/$namespace/$name' })
  if (!isKind(kind)) return <NotFound />
  const place = { kind, namespace }
  if (change !== undefined) return <InChange key={`${change}/${name}`} {...place} name={name} id={String(change)} />
  if (name !== NEW) return <OneDocument key={`${kind}/${namespace}/${name}`} {...place} name={name} />
  return like === undefined ? <NewDocument {...place} /> : <Duplicate key={like} {...place} like={like} />
}

type Place = { kind: Kind; namespace: string }

function NewDocument({ kind, namespace, text = blank(kind, namespace) }: Place & { text?: string }) {
  const { t } = useTranslation()
  return (
    <>
      <PageHead title={t('policies.new', { kind })} command="meshway apply -f -" />
      <Editor kind={kind} namespace={namespace} published={text} revision={0} etag="" />
    </>
  )
}

function Duplicate({ kind, namespace, like }: Place & { like: string }) {
  const asked = useQuery(documentQuery(kind, namespace, like))
  return (
    <Panel asked={asked} height={360}>
      {({ document }) => <NewDocument kind={kind} namespace={namespace} text={likeOf(document)} />}
    </Panel>
  )
}

function InChange({ kind, namespace, name, id }: Place & { name: string; id: string }) {
  const { t } = useTranslation()
  const asked = useQuery(changeQuery(id))
  return (
    <>
      <PageHead title={`${kind} ${namespace}/${name} · ${t('nav.changes')} / ${id}`} />
      <Panel asked={asked} height={360}>
        {(change) => {
          const part = change.documents.find((one) => isSame(one, { kind, namespace, name }))
          if (part === undefined) return <OneDocument kind={kind} namespace={namespace} name={name} />
          return (
            <DocumentEditor
              kind={kind}
              namespace={namespace}
              name={name}
              published={part.text ?? ''}
              change={change}
              isLocked={change.state === 'published'}
            />
          )
        }}
      </Panel>
    </>
  )
}

function OneDocument({ kind, namespace, name }: Place & { name: string }) {
  const { t } = useTranslation()
  const { may } = useRights()
  const [isTaken, setTaken] = useState(false)
  const asked = useQuery(documentQuery(kind, namespace, name))
  const history = useQuery(documentHistoryQuery(kind, namespace, name))
  return (
    <>
      <PageHead
        title={`${kind} ${namespace}/${name}`}
        command={`meshway edit ${kind.toLowerCase()}/${name} -n ${namespace}`}
      />
      <Panel asked={asked} height={360}>
        {({ document, etag }) => {
          const manager = managerOf(document)
          return (
            <>
              {manager && (
                <Managed
                  {...manager}
                  takeOver={may('backup:read', '*') && !isTaken ? () => setTaken(true) : undefined}
                />
              )}
              <Editor
                kind={kind}
                namespace={namespace}
                name={name}
                published={yamlOf(document)}
                revision={document.metadata.revision ?? 0}
                etag={etag}
                isLocked={manager !== null && !isTaken}
              />
            </>
          )
        }}
      </Panel>
      <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('policies.history')}</h2>
      <Panel asked={history}>{(revisions) => <RevisionList revisions={revisions} />}</Panel>
    </>
  )
}

type EditorProps = Place & {
  name?: string
  published: string
  revision: number
  etag: string
  isLocked?: boolean
}

/** No change keeps a Secret: it is published from where it is written. */
function Editor({ etag, ...props }: EditorProps) {
  return props.kind === 'Secret' ? <SecretEditor {...props} etag={etag} /> : <DocumentEditor {...props} />
}

/** Kept elsewhere: what is written here would be written over from there. */
function Managed({ by, link, takeOver }: { by: string; link: string; takeOver: (() => void) | undefined }) {
  const { t } = useTranslation()
  return (
    <p className="panel" style={{ borderColor: 'var(--warn)' }}>
      ▲ {t('editor.managed', { by })} {/^https?:/.test(link) ? <a href={link}>{link}</a> : link}{' '}
      {takeOver && (
        <Button variant="default" size="compact-xs" onClick={takeOver}>
          {t('editor.takeOver')}
        </Button>
      )}
    </p>
  )
}
