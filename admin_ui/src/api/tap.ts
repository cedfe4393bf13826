import { useEffect, useState, useSyncExternalStore } from 'react'
import type { Call } from './requests'

export type TapState = 'connecting' | 'live' | 'paused' | 'hidden' | 'failed'
/** calls: the newest first. seen, shown: of the last few seconds. waiting: that came while it is paused. */
export type Tapped = {
  state: TapState
  calls: readonly Keyed[]
  waiting: number
  perSecond: number
  share: number
  gateways: readonly string[]
  problem: string
}
/** key: of a row, as request ids may come twice. */
export type Keyed = { key: number; call: Call }

type Event = { items: Call[]; seen: number; left_out: number; gateways: string[] }

const MOST_CALLS = 1_000
const HIDDEN_MS = 30_000
const RETRY_MS = 2_000
const RATE_MS = 5_000
const NOTHING: Tapped = {
  state: 'connecting',
  calls: [],
  waiting: 0,
  perSecond: 0,
  share: 1,
  gateways: [],
  problem: '',
}

/**
 * Calls as they end, by the registry's stream. The latest thousand are kept; while it is paused those that come are
 * kept beside and counted. No connection while the tab is hidden for 30 s.
 */
export class Tap {
  private source: EventSource | null = null
  private retry = 0
  private hide = 0
  private isPaused = false
  private last = 0
  private behind: Keyed[] = []
  private recent: { at: number; seen: number; shown: number }[] = []
  private told: Tapped = NOTHING
  private readonly listeners = new Set<() => void>()

  constructor(private readonly filter: string) {}

  start = () => {
    document.addEventListener('visibilitychange', this.onVisibility)
    this.connect()
  }

  stop = () => {
    document.removeEventListener('visibilitychange', this.onVisibility)
    window.clearTimeout(this.hide)
    this.disconnect()
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = () => this.told

  pause = () => {
    this.isPaused = true
    this.tell({ state: 'paused' })
  }

  resume = () => {
    this.isPaused = false
    const calls = newest(this.behind, this.told.calls)
    this.behind = []
    this.tell({ state: this.source?.readyState === EventSource.OPEN ? 'live' : 'connecting', calls, waiting: 0 })
  }

  private tell(part: Partial<Tapped>) {
    this.told = { ...this.told, ...part }
    for (const listener of this.listeners) listener()
  }

  private tellState(state: TapState) {
    this.tell({ state: this.isPaused ? 'paused' : state })
  }

  private connect() {
    const source = new EventSource(`/v1/tap?${new URLSearchParams({ filter: this.filter })}`)
    this.source = source
    source.onopen = () => this.tellState('live')
    source.addEventListener('calls', (event) => this.onCalls(JSON.parse((event as MessageEvent<string>).data)))
    source.addEventListener('problem', (event) => {
      const problem = JSON.parse((event as MessageEvent<string>).data) as { title: string; detail?: string }
      this.tell({ problem: problem.detail || problem.title })
    })
    source.onerror = () => {
      source.close()
      this.source = null
      this.tellState('failed')
      this.retry = window.setTimeout(() => this.connect(), RETRY_MS)
    }
  }

  private disconnect() {
    this.source?.close()
    this.source = null
    window.clearTimeout(this.retry)
  }

  private onCalls({ items, seen, left_out, gateways }: Event) {
    const fresh = items.map((call) => ({ key: this.last++, call })).reverse()
    const now = Date.now()
    this.recent = [...this.recent, { at: now, seen, shown: seen - left_out }].filter(({ at }) => at > now - RATE_MS)
    const sum = (of: 'seen' | 'shown') => this.recent.reduce((total, one) => total + one[of], 0)
    const share = sum('seen') > 0 ? sum('shown') / sum('seen') : 1
    const rest = { perSecond: sum('seen') / (RATE_MS / 1000), share, gateways, problem: '' }
    if (this.isPaused) {
      this.behind = newest(fresh, this.behind)
      this.tell({ ...rest, waiting: this.behind.length })
    } else this.tell({ ...rest, calls: newest(fresh, this.told.calls) })
  }

  private onVisibility = () => {
    window.clearTimeout(this.hide)
    if (!document.hidden) {
      if (this.source === null) this.connect()
      return
    }
    this.hide = window.setTimeout(() => {
      this.disconnect()
      this.tellState('hidden')
    }, HIDDEN_MS)
  }
}

function newest(first: readonly Keyed[], then: readonly Keyed[]): Keyed[] {
  return [...first, ...then].slice(0, MOST_CALLS)
}

/** A stream for as long as it is shown; another filter is another stream. */
export function useTap(filter: string) {
  const [taps] = useState(() => new Map<string, Tap>())
  let tap = taps.get(filter)
  if (tap === undefined) {
    tap = new Tap(filter)
    taps.clear()
    taps.set(filter, tap)
  }
  useEffect(() => {
    tap.start()
    return tap.stop
  }, [tap])
  const tapped = useSyncExternalStore(tap.subscribe, tap.snapshot)
  return { tapped, pause: tap.pause, resume: tap.resume }
}
