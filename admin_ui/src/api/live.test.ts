import { QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keys } from './keys'
import { LiveRevisions } from './live'

/** The browser's side of a stream, under the test's hand. */
class Stream {
  static opened: Stream[] = []
  onopen: () => void = () => {}
  onerror: () => void = () => {}
  readonly listeners = new Map<string, (event: unknown) => void>()
  isClosed = false
  constructor(readonly url: string) {
    Stream.opened.push(this)
  }
  addEventListener(name: string, listener: (event: unknown) => void) {
    this.listeners.set(name, listener)
  }
  close() {
    this.isClosed = true
  }
  delta(revision: number, ...kinds: string[]) {
    const changes = kinds.map((kind) => ({ kind, namespace: 'shop', name: 'a' }))
    this.listeners.get('delta')?.({ lastEventId: String(revision), data: JSON.stringify({ revision, changes }) })
  }
}

const last = () => Stream.opened.at(-1) as Stream

beforeEach(() => {
  vi.useFakeTimers()
  Stream.opened = []
  vi.stubGlobal('EventSource', Stream)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function started() {
  const client = new QueryClient()
  const stale: string[] = []
  vi.spyOn(client, 'invalidateQueries').mockImplementation(async (filters) => {
    stale.push(JSON.stringify(filters?.queryKey ?? 'everything'))
  })
  const live = new LiveRevisions(client, 41)
  live.start()
  return { live, stale }
}

test('many events of a moment make each entry stale once', () => {
  const { live, stale } = started()
  expect(last().url).toBe('/v1/watch?since=41')
  last().onopen()
  for (let revision = 42; revision < 60; revision += 1) last().delta(revision, 'Route')
  vi.advanceTimersByTime(300)
  expect(stale).toEqual([keys.namespaces, keys.documents('Route'), keys.revisions].map((key) => JSON.stringify(key)))
  live.stop()
})

test('instances make services stale, and no revision of documents', () => {
  const { live, stale } = started()
  last().delta(42, 'Instance')
  vi.advanceTimersByTime(300)
  expect(stale).toEqual([JSON.stringify(keys.namespaces), '["services"]', '["instances"]'])
  live.stop()
})

test('after three failed connections it asks, and says so, until the stream is back', () => {
  const { live, stale } = started()
  last().onopen()
  last().delta(45, 'Route')
  vi.advanceTimersByTime(300)
  stale.length = 0
  last().onerror()
  expect(live.snapshot().state).toBe('connecting')
  for (let failures = 1; failures < 3; failures += 1) {
    vi.advanceTimersByTime(10_000)
    last().onerror()
  }
  expect(live.snapshot().state).toBe('polling')
  vi.advanceTimersByTime(10_500)
  expect(stale).toContain('"everything"')
  expect(last().url).toBe('/v1/watch?since=45')
  last().onopen()
  expect(live.snapshot().state).toBe('live')
  stale.length = 0
  vi.advanceTimersByTime(300)
  expect(stale).toEqual(['"everything"'])
  vi.advanceTimersByTime(60_000)
  expect(stale).toEqual(['"everything"'])
  live.stop()
  expect(last().isClosed).toBe(true)
})
