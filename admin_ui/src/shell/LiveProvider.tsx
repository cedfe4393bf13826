import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { type Live, LiveRevisions } from '../api/live'
import { holdsSomewhere, useSession } from '../api/session'

const Stream = createContext<LiveRevisions | null>(null)
const NONE: Live = { state: 'connecting', since: 0 }

/** One stream for the tab, for whoever may read documents anywhere. */
export function LiveProvider({ revision, children }: { revision: number; children: ReactNode }) {
  const client = useQueryClient()
  const session = useSession()
  const [stream] = useState(() =>
    holdsSomewhere(session, 'documents:read') ? new LiveRevisions(client, revision) : null,
  )
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
