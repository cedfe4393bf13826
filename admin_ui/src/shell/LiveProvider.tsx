import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { type Live, LiveStream, type Topic } from '../api/live'
import { holds, holdsSomewhere, type Session, useSession } from '../api/session'

const Stream = createContext<LiveStream | null>(null)
const NONE: Live = { state: 'connecting', since: 0 }

/** What the session may read, as the registry judges it. Gateways are the whole mesh's. */
function topicsOf(session: Session): Topic[] {
  const topics: Topic[] = []
  if (holdsSomewhere(session, 'documents:read')) topics.push('revisions', 'rollouts')
  if (holdsSomewhere(session, 'insight:read')) topics.push('signals', 'alerts')
  if (holds(session, 'gateways:read', '*')) topics.push('gateways')
  return topics
}

/** One stream for the tab, for whoever may read anything of it. */
export function LiveProvider({ revision, children }: { revision: number; children: ReactNode }) {
  const client = useQueryClient()
  const session = useSession()
  const [stream] = useState(() => {
    const topics = topicsOf(session)
    return topics.length > 0 ? new LiveStream(client, topics, revision) : null
  })
  useEffect(() => {
    stream?.start()
    return stream?.stop
  }, [stream])
  return <Stream value={stream}>{children}</Stream>
}

/** null: this session has no stream. */
export function useLive(): Live | null {
  const stream = useContext(Stream)
  const live = useSyncExternalStore(stream?.subscribe ?? never, stream?.snapshot ?? none)
  return stream === null ? null : live
}

const never = () => () => {}
const none = () => NONE
