import { useQuery } from '@tanstack/react-query'
import { documentHistoryQuery } from '../api/revisions'
import { Panel } from '../kit/Panel'
import { RevisionList } from '../parts/RevisionList'

/** Who changed the service's own document, and what. */
export function History({ namespace, service }: { namespace: string; service: string }) {
  const asked = useQuery(documentHistoryQuery('Service', namespace, service))
  return <Panel asked={asked}>{(revisions) => <RevisionList revisions={revisions} />}</Panel>
}
