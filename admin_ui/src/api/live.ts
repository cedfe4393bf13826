import type { QueryClient } from '@tanstack/react-query'
import { keys } from './keys'

export type LiveState = 'live' | 'connecting' | 'polling' | 'hidden'
export type Live = { state: LiveState; since: number }

const HIDDEN_MS = 30_000
const GATHER_MS = 250
const POLL_MS = 10_000
const RETRY_MS = 2_000
const TRIES = 3

/**
 * The stream of revisions: what changed is asked for again, once for all events of a quarter of a second. After three
 * failed connections everything is asked for every ten seconds until the stream is back. One connection a tab, none
 * while the tab is hidden: browsers allow six to a host.
 */
export class LiveRevisions {
  private source: EventSource | null = null
  private gathered = new Set<string>()
  private timer = 0
  private poll = 0
  private hide = 0
  private retry = 0
  private failures = 0
  private told: Live = { state: 'connecting', since: Date.now() }
  private readonly listeners = new Set<() => void>()

  constructor(
    private readonly client: QueryClient,
    private revision: number,
  ) {}

  start = () => {
    document.addEventListener('visibilitychange', this.onVisibility)
    this.connect()
  }

  stop = () => {
    document.removeEventListener('visibilitychange', this.onVisibility)
    this.disconnect()
    window.clearTimeout(this.timer)
    window.clearTimeout(this.hide)
    this.timer = 0
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = () => this.told

  private tell(state: LiveState) {
    if (this.told.state === state) return
    this.told = { state, since: Date.now() }
    for (const listener of this.listeners) listener()
  }

  private connect() {
    const source = new EventSource(`/v1/watch?since=${this.revision}`)
    this.source = source
    source.onopen = () => {
      const wasAway = this.told.state !== 'live' && this.failures > 0
      this.failures = 0
      window.clearInterval(this.poll)
      this.poll = 0
      this.tell('live')
      if (wasAway) this.gather('everything')
    }
    source.addEventListener('delta', (event) => this.onDelta(event as MessageEvent<string>))
    for (const name of ['snapshot', 'reset']) source.addEventListener(name, () => this.gather('everything'))
    source.onerror = () => {
      this.failures += 1
      source.close()
      this.source = null
      if (this.failures < TRIES) this.tell('connecting')
      else this.startPolling()
      this.retry = window.setTimeout(() => this.connect(), RETRY_MS * Math.min(this.failures, 5))
    }
  }

  private disconnect() {
    this.source?.close()
    this.source = null
    window.clearInterval(this.poll)
    window.clearTimeout(this.retry)
    this.poll = 0
  }

  private startPolling() {
    this.tell('polling')
    this.poll ||= window.setInterval(() => this.gather('everything'), POLL_MS)
  }

  private onDelta(event: MessageEvent<string>) {
    this.revision = Number(event.lastEventId) || this.revision
    const delta = JSON.parse(event.data) as { changes?: { kind: string; namespace: string; name: string }[] }
    for (const change of delta.changes ?? []) this.gather(change.kind)
  }

  private gather(kind: string) {
    this.gathered.add(kind)
    this.timer ||= window.setTimeout(() => {
      this.timer = 0
      const kinds = this.gathered
      this.gathered = new Set()
      this.invalidate(kinds)
    }, GATHER_MS)
  }

  private invalidate(kinds: Set<string>) {
    if (kinds.has('everything')) {
      void this.client.invalidateQueries()
      return
    }
    const stale: (readonly string[])[] = [keys.namespaces]
    if (kinds.has('Instance') || kinds.has('Service')) stale.push(['services'], ['instances'])
    for (const kind of kinds) if (kind !== 'Instance') stale.push(keys.documents(kind), keys.revisions)
    for (const queryKey of stale) void this.client.invalidateQueries({ queryKey })
  }

  private onVisibility = () => {
    if (document.hidden) {
      this.hide = window.setTimeout(() => {
        this.disconnect()
        this.tell('hidden')
      }, HIDDEN_MS)
      return
    }
    window.clearTimeout(this.hide)
    if (this.told.state === 'hidden') {
      this.failures = 1 // so that what changed meanwhile is asked for
      this.connect()
    }
  }
}
