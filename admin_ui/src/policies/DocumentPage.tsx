import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { documentQuery, isKind, type Kind } from '../api/documents'
import { documentHistoryQuery } from '../api/revisions'
import { PageHead } from '../kit/PageHead'
import { Panel } from '../kit/Panel'
import { RevisionList } from '../parts/RevisionList'
import { NotFound } from '../shell/Root'
import { DocumentEditor } from './DocumentEditor'
import { blank, yamlOf } from './documentText'

const NEW = '+'

/** One document: what it says, how that is changed and published, and how it came to be. */
export function DocumentPage() {
  const { kind, namespace, name } = useParams({ from: '/policies/$kind/$namespace/$name' })
  if (!isKind(kind)) return <NotFound />
  return name === NEW ? (
    <NewDocument kind={kind} namespace={namespace} />
  ) : (
    <OneDocument key={`${kind}/${namespace}/${name}`} kind={kind} namespace={namespace} name={name} />
  )
}

function NewDocument({ kind, namespace }: { kind: Kind; namespace: string }) {
  const { t } = useTranslation()
  return (
    <>
      <PageHead title={t('policies.new', { kind })} command="meshway apply -f -" />
      <DocumentEditor kind={kind} namespace={namespace} published={blank(kind, namespace)} etag="" />
    </>
  )
}

function OneDocument({ kind, namespace, name }: { kind: Kind; namespace: string; name: string }) {
  const { t } = useTranslation()
  const asked = useQuery(documentQuery(kind, namespace, name))
  const history = useQuery(documentHistoryQuery(kind, namespace, name))
  return (
    <>
      <PageHead
        title={`${kind} ${namespace}/${name}`}
        command={`meshway edit ${kind.toLowerCase()}/${name} -n ${namespace}`}
      />
      <Panel asked={asked} height={360}>
        {({ document, etag }) => (
          <DocumentEditor kind={kind} namespace={namespace} name={name} published={yamlOf(document)} etag={etag} />
        )}
      </Panel>
      <h2 style={{ fontSize: 14, marginTop: 24 }}>{t('policies.history')}</h2>
      <Panel asked={history}>{(revisions) => <RevisionList revisions={revisions} />}</Panel>
    </>
  )
}
