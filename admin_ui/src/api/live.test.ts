import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keys } from './keys'
import { LiveStream, type Topic } from './live'

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
  say(name: string, data: unknown, revision?: number) {
    this.listeners.get(name)?.({ lastEventId: String(revision ?? ''), data: JSON.stringify(data) })
  }
  change(revision: number, ...kinds: string[]) {
    this.say(
      'revisions',
      { revision, changes: kinds.map((kind) => ({ kind, namespace: 'shop', name: 'a' })) },
      revision,
    )
  }
}

const last = () => Stream.opened.at(-1) as Stream
const asked = () => new URL(last().url, 'http://here').searchParams
const FRAME_MS = 20

beforeEach(() => {
  vi.useFakeTimers()
  Stream.opened = []
  vi.stubGlobal('EventSource', Stream)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function started(topics: Topic[] = ['revisions', 'rollouts', 'signals', 'alerts', 'gateways']) {
  const client = new QueryClient()
  const stale: string[] = []
  vi.spyOn(client, 'invalidateQueries').mockImplementation(async (filters) => {
    stale.push(JSON.stringify(filters?.queryKey ?? 'everything'))
  })
  const live = new LiveStream(client, topics, 41)
  live.start()
  return { live, stale, client }
}

const names = (...all: (readonly string[])[]) => all.map((key) => JSON.stringify(key))

test('many events of a moment make each entry stale once, and again after a second', () => {
  const { live, stale } = started()
  expect(asked().get('since')).toBe('41')
  last().onopen()
  for (let revision = 42; revision < 60; revision += 1) last().change(revision, 'Route')
  expect(stale).toEqual([])
  vi.advanceTimersByTime(FRAME_MS)
  const routes = names(keys.namespaces, keys.documents('Route'), keys.revisions, keys.changes)
  // The first at once, what comes with it and after it together.
  vi.advanceTimersByTime(1_000)
  expect(new Set(stale)).toEqual(new Set(routes))
  expect(stale.length).toBeLessThanOrEqual(routes.length + 1)
  live.stop()
})

test('instances make services stale, and no revision of documents', () => {
  const { live, stale } = started()
  last().change(42, 'Instance')
  vi.advanceTimersByTime(1_100)
  expect(stale).toEqual(names(keys.namespaces, ['services'], ['instances']))
  live.stop()
})

test('alerts and rollouts make their own entries stale', () => {
  const { live, stale } = started()
  last().say('alerts', { namespaces: ['shop'] })
  last().say('rollouts', { namespaces: ['shop'] })
  vi.advanceTimersByTime(1_100)
  expect(new Set(stale)).toEqual(new Set(names(keys.alerts, keys.silences, keys.rollouts)))
  live.stop()
})

test('after three failed connections it asks, and says so, until the stream is back', () => {
  const { live, stale } = started()
  last().onopen()
  last().change(45, 'Route')
  vi.advanceTimersByTime(1_100)
  stale.length = 0
  last().onerror()
  expect(live.snapshot().state).toBe('connecting')
  for (let failures = 1; failures < 3; failures += 1) {
    vi.advanceTimersByTime(10_000)
    last().onerror()
  }
  expect(live.snapshot().state).toBe('polling')
  vi.advanceTimersByTime(10_500)
  expect(stale).toContain('[]')
  expect(asked().get('since')).toBe('45')
  last().onopen()
  expect(live.snapshot().state).toBe('live')
  vi.advanceTimersByTime(1_100)
  stale.length = 0
  for (let at = 0; at < 6; at += 1) {
    last().say('head', { revision: 45 }, 45)
    vi.advanceTimersByTime(15_000)
  }
  expect(stale).toEqual([])
  live.stop()
  expect(last().isClosed).toBe(true)
})

test('a connection that says nothing for long is given up', () => {
  const { live } = started()
  last().onopen()
  const silent = last()
  vi.advanceTimersByTime(39_000)
  expect(silent.isClosed).toBe(false)
  vi.advanceTimersByTime(2_000)
  expect(silent.isClosed).toBe(true)
  vi.advanceTimersByTime(2_000)
  expect(last()).not.toBe(silent)
  live.stop()
})

test('gateways are written where the page reads them', () => {
  const { live, client } = started()
  last().say('gateways', { items: [{ node: 'gw-1' }] })
  vi.advanceTimersByTime(FRAME_MS)
  expect(client.getQueryData(keys.gateways)).toEqual([{ node: 'gw-1' }])
  live.stop()
})

test('signals are asked for while a page shows them, and written under its namespace', () => {
  const { live, client } = started()
  expect(asked().get('topics')).toBe('revisions,rollouts,alerts,gateways')
  const queryKey = [...keys.insight, 'services', { window_s: 3600 }, 'shop']
  const query = { queryKey, queryFn: () => new Promise<never>(() => {}) }
  const leave = new QueryObserver(client, query).subscribe(() => {})
  vi.advanceTimersByTime(400)
  expect(Stream.opened).toHaveLength(2)
  expect(asked().get('topics')).toContain('signals')
  expect(asked().get('window_s')).toBe('3600')
  const items = [
    { namespace: 'shop', name: 'cart' },
    { namespace: 'bank', name: 'pay' },
  ]
  last().say('signals', { window_s: 900, items: [] })
  last().say('signals', { window_s: 3600, items })
  vi.advanceTimersByTime(FRAME_MS)
  expect(client.getQueryData(queryKey)).toEqual([{ namespace: 'shop', name: 'cart' }])
  leave()
  vi.advanceTimersByTime(400)
  expect(asked().get('topics')).not.toContain('signals')
  live.stop()
})

test('signals of a moment that is over are not asked for', () => {
  const { live, client } = started()
  const queryKey = [...keys.insight, 'services', { at: 5, window_s: 900 }, undefined]
  const query = { queryKey, queryFn: () => new Promise<never>(() => {}) }
  const leave = new QueryObserver(client, query).subscribe(() => {})
  vi.advanceTimersByTime(400)
  expect(Stream.opened).toHaveLength(1)
  leave()
  live.stop()
})

test('a tab that is hidden for long has no connection, and asks for what it missed', () => {
  const { live, stale } = started(['revisions'])
  last().onopen()
  const first = last()
  const hidden = vi.spyOn(document, 'hidden', 'get')
  hidden.mockReturnValue(true)
  document.dispatchEvent(new Event('visibilitychange'))
  vi.advanceTimersByTime(29_000)
  expect(first.isClosed).toBe(false)
  vi.advanceTimersByTime(2_000)
  expect([first.isClosed, live.snapshot().state]).toEqual([true, 'hidden'])
  hidden.mockReturnValue(false)
  document.dispatchEvent(new Event('visibilitychange'))
  expect(Stream.opened).toHaveLength(2)
  last().onopen()
  vi.advanceTimersByTime(1_100)
  expect(stale).toEqual(['[]'])
  expect(live.snapshot().state).toBe('live')
  hidden.mockRestore()
  live.stop()
})
