import { useParams } from '@tanstack/react-router'
import { ChangePage } from './ChangePage'
import { RevisionPage } from './RevisionPage'

/** `d41`: a change, published or not. `r812`, `812`: a revision. */
export function EntryPage() {
  const { revision } = useParams({ from: '/changes/$revision' })
  const change = /^d(\d+)$/.exec(revision)?.[1]
  return change === undefined ? <RevisionPage /> : <ChangePage key={change} id={change} />
}
