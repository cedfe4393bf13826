import { matchQuery, type Query, type QueryClient, type QueryKey } from '@tanstack/react-query'
import type { ServiceSignals, Span } from './insight'
import { keys } from './keys'

export type LiveState = 'live' | 'connecting' | 'polling' | 'hidden'
export type Live = { state: LiveState; since: number }
export type Topic = 'revisions' | 'signals' | 'alerts' | 'rollouts' | 'gateways'

const HIDDEN_MS = 30_000
const POLL_MS = 10_000
const RETRY_MS = 2_000
const TRIES = 3
/** Lists are asked for again at once, and then no oftener. */
const AGAIN_MS = 1_000
/** The registry says something every 15 s: a connection that is silent for longer is none. */
const SILENT_MS = 40_000
/** What a page shows of signals is known when its parts have come. */
const SETTLE_MS = 300

type Signals = { window_s: number; items: ServiceSignals[] }
type Changed = { changes: { kind: string; namespace: string; name: string }[] }

/**
 * The one stream of a tab: what it brings is written into the Query cache, once for all events of a frame; what it names
 * is made stale there. After three failed connections everything is asked for every ten seconds until it is back. No
 * connection while the tab is hidden for 30 s: browsers allow six to a host.
 */
export class LiveStream {
  private source: EventSource | null = null
  private events: (() => void)[] = []
  private frame = 0
  private stale = new Map<string, QueryKey>()
  private again = 0
  private poll = 0
  private hide = 0
  private retry = 0
  private silence = 0
  private settle = 0
  private failures = 0
  private window_s: number | undefined
  private told: Live = { state: 'connecting', since: Date.now() }
  private forget = () => {}
  private readonly listeners = new Set<() => void>()

  /** topics: what this session may read. */
  constructor(
    private readonly client: QueryClient,
    private readonly topics: readonly Topic[],
    private revision: number,
  ) {}

  start = () => {
    document.addEventListener('visibilitychange', this.onVisibility)
    this.window_s = this.wantedWindow()
    this.forget = this.client.getQueryCache().subscribe(({ type, query }) => {
      if ((type === 'observerAdded' || type === 'observerRemoved') && isSignals(query)) this.settleWindow()
    })
    this.connect()
  }

  stop = () => {
    document.removeEventListener('visibilitychange', this.onVisibility)
    this.forget()
    this.disconnect()
    for (const timer of [this.hide, this.settle, this.again]) window.clearTimeout(timer)
    window.cancelAnimationFrame(this.frame)
    this.frame = this.again = this.settle = 0
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

  private address() {
    const topics = this.topics.filter((topic) => topic !== 'signals' || this.window_s !== undefined)
    const query = new URLSearchParams({ topics: topics.join(','), since: String(this.revision) })
    if (topics.includes('signals')) query.set('window_s', String(this.window_s))
    return `/v1/live?${query}`
  }

  private connect() {
    const source = new EventSource(this.address())
    this.source = source
    source.onopen = () => {
      const wasAway = this.failures > 0
      this.failures = 0
      window.clearInterval(this.poll)
      this.poll = 0
      this.tell('live')
      this.listen()
      if (wasAway) this.make(stale.everything)
    }
    const on = (name: string, take: (data: unknown) => void) =>
      source.addEventListener(name, (event) => {
        const { data, lastEventId } = event as MessageEvent<string>
        this.revision = Number(lastEventId) || this.revision
        this.listen()
        this.gather(() => take(JSON.parse(data)))
      })
    on('head', () => {})
    on('reset', () => this.make(stale.everything))
    on('revisions', (data) => this.onRevisions(data as Changed))
    on('signals', (data) => this.onSignals(data as Signals))
    on('gateways', (data) => this.client.setQueryData(keys.gateways, (data as { items: unknown[] }).items))
    on('alerts', () => this.make(keys.alerts, keys.silences))
    on('rollouts', () => this.make(keys.rollouts))
    source.onerror = () => this.onFailure()
  }

  private onFailure() {
    this.failures += 1
    this.source?.close()
    this.source = null
    window.clearTimeout(this.silence)
    if (this.failures < TRIES) this.tell('connecting')
    else this.startPolling()
    window.clearTimeout(this.retry)
    this.retry = window.setTimeout(() => this.connect(), RETRY_MS * Math.min(this.failures, 5))
  }

  private listen() {
    window.clearTimeout(this.silence)
    this.silence = window.setTimeout(() => this.onFailure(), SILENT_MS)
  }

  private disconnect() {
    this.source?.close()
    this.source = null
    window.clearInterval(this.poll)
    window.clearTimeout(this.retry)
    window.clearTimeout(this.silence)
    this.poll = 0
  }

  private startPolling() {
    this.tell('polling')
    this.poll ||= window.setInterval(() => this.make(stale.everything), POLL_MS)
  }

  /** All that comes within one frame is written in it; a hidden tab has no frames. */
  private gather(take: () => void) {
    this.events.push(take)
    if (document.hidden) this.write()
    else this.frame ||= window.requestAnimationFrame(this.write)
  }

  private write = () => {
    this.frame = 0
    const events = this.events
    this.events = []
    for (const take of events) take()
  }

  private onRevisions({ changes }: Changed) {
    const kinds = new Set(changes.map(({ kind }) => kind))
    this.make(keys.namespaces)
    if (kinds.has('Instance') || kinds.has('Service')) this.make(['services'], ['instances'])
    for (const kind of kinds) if (kind !== 'Instance') this.make(keys.documents(kind), keys.revisions, keys.changes)
  }

  private onSignals({ window_s, items }: Signals) {
    for (const query of this.client.getQueryCache().getAll()) {
      if (!isSignals(query) || query.getObserversCount() === 0) continue
      const [, , span, namespace] = query.queryKey as [string, string, Span, string | undefined]
      if (span.window_s !== window_s) continue
      const mine = namespace === undefined ? items : items.filter((one) => one.namespace === namespace)
      this.client.setQueryData(query.queryKey, mine)
    }
  }

  /** Makes entries stale: those of a moment together, and each again after a second at the earliest. */
  private make(...wanted: QueryKey[]) {
    for (const key of wanted) this.stale.set(JSON.stringify(key), key)
    if (this.again === 0) this.makeStale()
  }

  private makeStale() {
    const wanted = [...this.stale.values()]
    this.stale.clear()
    this.again = 0
    if (wanted.length === 0) return
    this.again = window.setTimeout(() => this.makeStale(), AGAIN_MS)
    if (wanted.includes(stale.everything)) void this.client.invalidateQueries({ queryKey: stale.everything })
    else for (const queryKey of wanted) void this.client.invalidateQueries({ queryKey })
  }

  private wantedWindow() {
    if (!this.topics.includes('signals')) return undefined
    const shown = this.client.getQueryCache().getAll()
    const query = shown.find((one) => isSignals(one) && one.getObserversCount() > 0)
    return (query?.queryKey[2] as Span | undefined)?.window_s
  }

  private settleWindow() {
    window.clearTimeout(this.settle)
    this.settle = window.setTimeout(() => {
      const wanted = this.wantedWindow()
      if (wanted === this.window_s) return
      this.window_s = wanted
      if (this.source === null) return
      this.source.close()
      this.connect()
    }, SETTLE_MS)
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

const stale = { everything: [] as QueryKey }
const SIGNALS = { queryKey: [...keys.insight, 'services'] }

/** Of services, up to now. */
function isSignals(query: Query): boolean {
  return matchQuery(SIGNALS, query) && (query.queryKey[2] as Span).at === undefined
}
