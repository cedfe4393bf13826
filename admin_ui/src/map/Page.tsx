import './map.css'
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { lazy, memo, Suspense, useCallback, useDeferredValue, useMemo, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { liveAlertsQuery, serviceOf } from '../api/alerts'
import { type MapAsked, mapQuery, type Span, spansQuery, type Topology } from '../api/insight'
import { servicesQuery } from '../api/services'
import { useRights } from '../api/session'
import { Empty } from '../kit/Empty'
import { PageHead } from '../kit/PageHead'
import { Loading, Panel } from '../kit/Panel'
import { TimeBar } from '../shell/TimeBar'
import { useNamespace } from '../shell/useNamespace'
import { useSpan } from '../shell/useSpan'
import { compared, type Result } from './compare'
import { type Filters, filtered, folded, type Graph, idsOf, MOST_CARDS, withAlerts } from './graph'
import { newMemory, remembered } from './memory'
import type { Level, MapSearch } from './search'
import { Tables } from './Tables'
import { TimeTravel } from './TimeTravel'
import { Tools } from './Tools'

// Each is loaded by whoever looks at it.
const Canvas = lazy(() => import('./Canvas').then((module) => ({ default: module.Canvas })))
const Overview = lazy(() => import('./Overview').then((module) => ({ default: module.Overview })))
const SidePanel = lazy(() => import('./SidePanel').then((module) => ({ default: module.SidePanel })))

const NONE: ReadonlyMap<string, Result> = new Map()
const NOTHING: ReadonlySet<string> = new Set()

type Look = (next: Partial<MapSearch> & { at?: number | undefined }) => void

/** Who calls whom, and where does it hurt? */
export function MapPage() {
  const { t } = useTranslation()
  const search = useSearch({ from: '/map' })
  const navigate = useNavigate()
  const look: Look = useCallback(
    (next) => void navigate({ to: '.', replace: true, search: (now: object) => ({ ...now, ...next }) }),
    [navigate],
  )
  const { level, isSmall } = useLevel(search)
  const namespace = useNamespace()
  const focus = level === 'focus' ? ` ${search.focus?.split('/').reverse().join('.') ?? ''}` : ''
  return (
    <>
      <PageHead title={t('nav.map')} command={`meshway map${focus}${namespace ? ` -n ${namespace}` : ' -A'}`} />
      <TimeBar />
      <TimeTravel before={search.before} look={look} />
      {level === undefined ? (
        <Loading height={480} />
      ) : (
        <>
          <Tools search={search} level={level} look={look} />
          <Asked search={search} level={level} isSmall={isSmall} look={look} />
        </>
      )}
    </>
  )
}

/** What was asked for; else services where all of them can be drawn, and namespaces where not. isSmall: they can be. */
function useLevel(search: MapSearch): { level: Level | undefined; isSmall: boolean } {
  const namespace = useNamespace()
  const span = useSpan()
  const asked = search.level ?? (search.focus ? 'focus' : namespace || search.before ? 'services' : undefined)
  const isOfAll = asked === undefined || (asked === 'services' && namespace === undefined)
  const { data, error } = useQuery({ ...mapQuery(span, { level: 'namespaces' }), enabled: isOfAll })
  const count = data?.nodes.reduce((sum, { services }) => sum + total(services ?? {}), 0) ?? Number.POSITIVE_INFINITY
  const isSmall = count <= MOST_CARDS
  if (asked === 'focus' && !search.focus) return { level: 'services', isSmall }
  if (asked !== undefined) return { level: asked, isSmall }
  if (data === undefined) return { level: error ? 'namespaces' : undefined, isSmall }
  return { level: isSmall ? 'services' : 'namespaces', isSmall }
}

const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, one) => sum + one, 0)

function askedOf(level: Level, search: MapSearch, namespace: string | undefined, isSmall: boolean): MapAsked {
  const { focus = '', hops = 1 } = search
  if (level === 'namespaces') return { level }
  if (level === 'focus') return { level, service: focus, hops, versions: true }
  if (level === 'overview') return { level: 'services' }
  // Versions of thousands of instances would be added up for a picture that has no room for them.
  return { level, namespace, versions: isSmall || namespace !== undefined || undefined }
}

type BodyProps = { search: MapSearch; level: Level; look: Look }

function Asked({ search, level, isSmall, look }: BodyProps & { isSmall: boolean }) {
  const namespace = useNamespace()
  const span = useSpan()
  const { data, error, refetch, isPlaceholderData } = useQuery(
    mapQuery(span, askedOf(level, search, namespace, isSmall)),
  )
  const told = useMemo(
    () => data && { topology: data, isThisOne: !isPlaceholderData, span, namespace, search, level },
    [data, isPlaceholderData, span, namespace, search, level],
  )
  // Thousands of edges are worked through in steps, between which the page answers. All of it at once: numbers of one
  // question must not be taken for those of another.
  const deferred = useDeferredValue(told)
  return (
    <Panel asked={{ data: deferred ?? told, error, refetch }} height={480}>
      {(shown) => <Body {...shown} look={look} />}
    </Panel>
  )
}

/** isThisOne: the topology is what was asked for, and not what was there before. */
type Told = BodyProps & { topology: Topology; isThisOne: boolean; span: Span; namespace: string | undefined }

const Body = memo(function Body({ topology, isThisOne, span, namespace, search, level, look }: Told) {
  const { t } = useTranslation()
  const { whole, results, silent } = useMoments({ topology, isThisOne, span, namespace, search, level })
  const filters = useFilters(search)
  const alerts = useFiring(span)
  const graph = useMemo(() => withAlerts(filtered(whole, filters), alerts), [whole, filters, alerts])
  const drawn = useFolded(graph, level, namespace, search)
  const pick = useCallback((id: string) => look({ pick: id }), [look])
  if (topology.nodes.length === 0) return <Empty title={t('map.none')} command="meshway demo" />
  const shown = level === 'overview' ? graph : drawn
  return (
    <>
      <div className="map-body" data-picked={search.pick ? true : undefined}>
        <div style={{ minWidth: 0 }}>
          {graph.cards.length === 0 && <NothingFits look={look} />}
          {graph.cards.length > 0 && !search.table && level === 'overview' && (
            <Suspense fallback={<Loading height={480} />}>
              <Overview graph={graph} picked={search.pick} pick={pick} />
            </Suspense>
          )}
          {graph.cards.length > 0 && !search.table && level !== 'overview' && (
            <Suspense fallback={<Loading height={480} />}>
              <Canvas
                graph={drawn}
                names={search.names ?? 'rates'}
                silent={silent}
                results={results}
                picked={search.pick}
                pick={pick}
              />
            </Suspense>
          )}
          {level !== 'overview' && drawn.folded > 0 && (
            <p>
              {t('map.foldedAway', { count: drawn.folded })}{' '}
              <Button variant="default" size="compact-xs" onClick={() => look({ level: 'overview' })}>
                {t('map.seeAll')}
              </Button>
            </p>
          )}
          {shown.left_out > 0 && <p>{t('map.leftOut', { count: shown.left_out })}</p>}
        </div>
        {search.pick && (
          <Suspense fallback={<Loading height={240} />}>
            <SidePanel graph={shown} picked={search.pick} look={look} />
          </Suspense>
        )}
      </div>
      <Tables graph={graph} results={results} pick={pick} />
    </>
  )
})

/** Names of alerts that fire now, by service. */
function useFiring({ at }: Span): ReadonlyMap<string, readonly string[]> {
  const namespace = useNamespace()
  const { maySomewhere } = useRights()
  const { data } = useQuery({
    ...liveAlertsQuery(namespace),
    enabled: at === undefined && maySomewhere('alerts:read'),
  })
  return useMemo(() => {
    const found = new Map<string, string[]>()
    for (const alert of at === undefined ? (data ?? []) : []) {
      const of = serviceOf(alert)
      if (alert.state !== 'firing' || of === undefined) continue
      const name = `${of.namespace}/${of.service}`
      found.set(name, [...(found.get(name) ?? []), alert.name])
    }
    return found
  }, [data, at])
}

/** What is drawn stays drawn as long as the question is the same. */
function useFolded(graph: Graph, level: Level, namespace: string | undefined, search: MapSearch): Graph {
  const { pick, names, table, ...filters } = search
  const of = JSON.stringify([level, namespace, filters])
  const before = useRef({ of: '', ids: NOTHING })
  return useMemo(() => {
    const made = folded(graph, before.current.of === of ? before.current.ids : NOTHING)
    before.current = { of, ids: idsOf(made) }
    return made
  }, [graph, of])
}

function NothingFits({ look }: { look: Look }) {
  const { t } = useTranslation()
  const clear = () =>
    look({
      text: undefined,
      label: undefined,
      edges: undefined,
      min_rps: undefined,
      unwell: undefined,
      busy: undefined,
    })
  return (
    <p>
      {t('kit.nothingMatches')}{' '}
      <Button variant="default" size="compact-xs" onClick={clear}>
        {t('kit.clearFilter')}
      </Button>
    </p>
  )
}

/** What is drawn of the moment that is looked at: with what fell silent lately, or with what another moment had. */
function useMoments({ topology, isThisOne, span, namespace, search, level }: Omit<Told, 'look'>) {
  const enabled = search.before !== undefined && level !== 'namespaces'
  const { data: spans } = useQuery({ ...spansQuery(span, search.before ?? 1, namespace), enabled })
  const kept = useRef({ of: '', memory: newMemory() })
  return useMemo(() => {
    if (enabled && spans) {
      const { topology: whole, results } = compared(topology, spans)
      return { whole, results: results as ReadonlyMap<string, Result>, silent: NOTHING }
    }
    if (span.at !== undefined || !isThisOne) return { whole: topology, results: NONE, silent: NOTHING }
    // Another question has other nodes: what they were is no past of these.
    const of = [level, namespace, search.focus, search.hops, span.window_s].join(' ')
    if (kept.current.of !== of) kept.current = { of, memory: newMemory() }
    const { topology: whole, silent } = remembered(kept.current.memory, topology, Date.now())
    return { whole, results: NONE, silent }
  }, [topology, isThisOne, spans, enabled, span, level, namespace, search.focus, search.hops])
}

function useFilters({ text, label, edges, min_rps, unwell, busy }: MapSearch): Filters {
  const [name = '', value] = (label ?? '').split('=')
  const { data } = useQuery({ ...servicesQuery(undefined), enabled: label !== undefined })
  const labelled = useMemo(() => {
    if (label === undefined || data === undefined) return undefined
    const has = (labels: Record<string, string> = {}) =>
      name in labels && (value === undefined || labels[name] === value)
    return new Set(
      data
        .filter(({ metadata }) => has(metadata.labels))
        .map(({ metadata }) => `${metadata.namespace ?? 'default'}/${metadata.name}`),
    )
  }, [data, label, name, value])
  return useMemo(
    () => ({ text, labelled, edges, min_rps, unwell, busy }),
    [text, labelled, edges, min_rps, unwell, busy],
  )
}
