import { infiniteQueryOptions } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type LogLine = Schemas['LogLine']
export const SEVERITIES = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Severity = (typeof SEVERITIES)[number]
/** What of the lines is wanted; all of it must hold. */
export type LogQuestion = { service?: string; severity?: Severity; text?: string; trace_id?: string }

const PAGE = 200
const MOST_LINES = 1_000
const RETRY_MS = 2_000

/** Lines that the registry keeps, the youngest first. at: before this moment, seconds since 1970. */
export const logsQuery = (question: LogQuestion, at?: number) =>
  infiniteQueryOptions({
    queryKey: [...keys.logs, question, at],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      take(api.GET('/v1/logs', { params: { query: { ...question, at, limit: PAGE, cursor: pageParam } } })),
    getNextPageParam: (page) => page.next ?? undefined,
  })

export type Followed = { state: 'connecting' | 'live' | 'failed'; lines: readonly LogLine[]; problem: string }
const NOTHING: Followed = { state: 'connecting', lines: [], problem: '' }

/** Lines as they come, the youngest first and the latest thousand, as long as somebody looks. */
export function useFollowedLogs(question: LogQuestion): Followed {
  const asked = new URLSearchParams(question).toString()
  const [followed, setFollowed] = useState(NOTHING)
  useEffect(() => {
    let source: EventSource | null = null
    let retry = 0
    setFollowed(NOTHING)
    function connect() {
      source = new EventSource(`/v1/logs/follow?${asked}`)
      source.addEventListener('lines', (event) => {
        const { items } = JSON.parse((event as MessageEvent<string>).data) as { items: LogLine[] }
        setFollowed(({ lines }) => ({
          state: 'live',
          problem: '',
          lines: items.length === 0 ? lines : [...items.toReversed(), ...lines].slice(0, MOST_LINES),
        }))
      })
      source.addEventListener('problem', (event) => {
        const problem = JSON.parse((event as MessageEvent<string>).data) as { title: string; detail?: string }
        setFollowed((now) => ({ ...now, problem: problem.detail || problem.title }))
      })
      source.onerror = () => {
        source?.close()
        setFollowed((now) => ({ ...now, state: 'failed' }))
        retry = window.setTimeout(connect, RETRY_MS)
      }
    }
    connect()
    return () => {
      source?.close()
      window.clearTimeout(retry)
    }
  }, [asked])
  return followed
}
