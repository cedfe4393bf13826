import '@xyflow/react/dist/base.css'
import { Button } from '@mantine/core'
import {
  type Edge,
  type EdgeProps,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react'
import { createContext, memo, useCallback, useContext, useEffect, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { perSecond } from '../i18n/format'
import { SHAPES } from '../kit/Status'
import type { Result } from './compare'
import { type Card, type Graph, type Line, shapeOf, widthOf } from './graph'
import { CARD, type LayoutAnswer, useLayout } from './layout'
import type { LabelKind } from './search'
import { type Point, smooth } from './smooth'
import { cardMarks, isOfBytes, labelOf, marksOf, nameOf, versionsOf } from './words'

const SIGNS: Record<Result, string> = { added: '+ ', gone: '− ', changed: '△ ' }
const ALL = { padding: 0.06, minZoom: 0.1, maxZoom: 1.1, duration: 0 }
// At first so large that it can be read, even where not all of it is seen then.
const FIRST = { ...ALL, minZoom: 0.4 }
const LINE_PX = 14
// What stands on a line stands above it, so that the line can be followed.
const ABOVE_PX = 6
// So large that dots are seen, however little comes.
const DOT_PX = 2.5

type Props = {
  graph: Graph
  names: LabelKind
  silent: ReadonlySet<string>
  results: ReadonlyMap<string, Result>
  picked: string | undefined
  pick: (id: string) => void
}

type CardNode = Node<Record<string, never>, 'card'>
type CallEdge = Edge<{ points: Point[]; at: Point }, 'call'>
type LabelEdge = Edge<{ of: string; at: Point }, 'label'>

type CardContent = { card: Card; inside: string; isFaint: boolean }
type LineContent = { line: Line; text: string; marks: string; result: Result | undefined; isFaint: boolean }
/** What cards and lines show, by id. It comes to them past React Flow, which is told of another shape alone. */
type Content = { cards: Map<string, CardContent>; lines: Map<string, LineContent>; picked: string | undefined }

const Shown = createContext<Content>({ cards: new Map(), lines: new Map(), picked: undefined })
const TONES = { plain: 'var(--border)', ok: 'var(--ok)', warn: 'var(--warn)', bad: 'var(--bad)' }

/** Cards and who calls whom, drawn; the table beside it has the same. */
export function Canvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  )
}

function Flow({ graph, names, silent, results, picked, pick }: Props) {
  const { t } = useTranslation()
  const layout = useLayout(graph)
  const { fitView, zoomIn, zoomOut } = useReactFlow()
  const { nodes, edges } = usePlaces(graph, layout)
  const content = useContent({ graph, names, silent, results, picked })
  const key = layout?.key
  // biome-ignore lint/correctness/useExhaustiveDependencies: another layout is looked at whole
  useEffect(() => {
    const frame = window.requestAnimationFrame(() => void fitView(FIRST))
    return () => window.cancelAnimationFrame(frame)
  }, [key, fitView])
  const onNodeClick = useCallback((_: unknown, { id }: { id: string }) => pick(id), [pick])
  const onEdgeClick = useCallback(
    (_: unknown, edge: CallEdge | LabelEdge) => pick(edge.type === 'label' ? (edge.data?.of ?? edge.id) : edge.id),
    [pick],
  )
  return (
    <div className="map-canvas" aria-busy={layout === undefined}>
      <Shown value={content}>
        <Arrows />
        <ReactFlow
          aria-label={t('map.drawing')}
          nodes={nodes}
          edges={edges}
          nodeTypes={NODES}
          edgeTypes={EDGES}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          disableKeyboardA11y
          zoomOnScroll={false}
          zoomOnDoubleClick={false}
          preventScrolling={false}
          minZoom={0.1}
          maxZoom={2}
          onNodeClick={onNodeClick}
          onEdgeClick={onEdgeClick}
        />
      </Shown>
      {graph.lines.some(({ protocols = [] }) => protocols.length > 0) && (
        <p className="map-legend">{t('map.protocols')}</p>
      )}
      <div className="map-zoom">
        <Button variant="default" size="compact-sm" aria-label={t('map.zoomIn')} onClick={() => void zoomIn()}>
          +
        </Button>
        <Button variant="default" size="compact-sm" aria-label={t('map.zoomOut')} onClick={() => void zoomOut()}>
          −
        </Button>
        <Button variant="default" size="compact-sm" onClick={() => void fitView(ALL)}>
          {t('map.fit')}
        </Button>
      </div>
    </div>
  )
}

/** Of lines, by what they say. */
const Arrows = memo(function Arrows() {
  return (
    <svg className="map-arrows" aria-hidden="true">
      <defs>
        {Object.entries(TONES).map(([name, colour]) => (
          <marker
            key={name}
            id={`map-arrow-${name}`}
            viewBox="0 0 10 10"
            refX="9"
            refY="5"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0,1L9,5L0,9Z" fill={colour} />
          </marker>
        ))}
      </defs>
    </svg>
  )
})

function usePlaces(graph: Graph, layout: LayoutAnswer | undefined) {
  const { t } = useTranslation()
  const shape = shapeOf(graph)
  // biome-ignore lint/correctness/useExhaustiveDependencies: of the graph only its shape has a part in this
  return useMemo(() => {
    const nodes = graph.cards.flatMap(({ id }): CardNode[] => {
      const position = layout?.nodes[id]
      return position ? [{ id, type: 'card', position, ...CARD, data: {} }] : []
    })
    const calls = graph.lines.flatMap(({ id, source, target }): CallEdge[] => {
      const way = layout?.edges[id]
      if (!way || source === target) return []
      const data = { points: way.points, at: { x: way.x, y: way.y } }
      return [{ id, source, target, type: 'call', ariaLabel: `${nameOf(t, source)} → ${nameOf(t, target)}`, data }]
    })
    // Behind all lines in the order of drawing, so that none crosses what stands on another.
    const labels = calls.map(
      ({ id, source, target, data }): LabelEdge => ({
        id: `${id} label`,
        source,
        target,
        type: 'label',
        ariaLabel: '',
        data: { of: id, at: data?.at ?? { x: 0, y: 0 } },
      }),
    )
    const edges: (CallEdge | LabelEdge)[] = [...calls, ...labels]
    return { nodes, edges }
  }, [shape, layout, t])
}

function useContent({ graph, names, silent, results, picked }: Omit<Props, 'pick'>): Content {
  const { t, i18n } = useTranslation()
  return useMemo(() => {
    const language = i18n.language
    const out = new Map<string, number>()
    for (const { source, figures } of graph.lines) out.set(source, (out.get(source) ?? 0) + figures.calls)
    const lines = new Map<string, LineContent>()
    const inside = new Map<string, string>()
    for (const line of graph.lines) {
      const { id, source, target, figures } = line
      if (source === target && figures.calls > 0) inside.set(source, perSecond(figures.rps, language))
      const result = results.get(id)
      // Of connections the bytes say more than how long they stayed open.
      const kind = names === 'rates' && isOfBytes(line) ? 'bytes' : names
      const label = line.folded
        ? ''
        : labelOf(figures, kind, figures.calls / Math.max(1, out.get(source) ?? 0), language)
      const marks = names === 'none' || line.folded ? '' : marksOf(t, line, language).join(' · ')
      const text = result ? `${SIGNS[result]}${t(`map.result.${result}`)} ${label}` : label
      lines.set(id, { line, text, marks, result, isFaint: silent.has(id) })
    }
    const cards = new Map(
      graph.cards.map((card) => [card.id, { card, inside: inside.get(card.id) ?? '', isFaint: silent.has(card.id) }]),
    )
    return { cards, lines, picked }
  }, [graph, names, silent, results, picked, t, i18n.language])
}

function toneOf({ line: { health }, result }: LineContent): keyof typeof TONES {
  if (result === 'added') return 'ok'
  if (result === 'gone' || health === 'bad') return 'bad'
  return health === 'warn' ? 'warn' : 'plain'
}

const NodeCard = memo(function NodeCard({ id }: NodeProps<CardNode>) {
  const { cards, picked } = useContext(Shown)
  const content = cards.get(id)
  return content ? <CardFace {...content} isPicked={picked === id} /> : null
})

function CardFace({ card, inside, isFaint, isPicked }: CardContent & { isPicked: boolean }) {
  const { t, i18n } = useTranslation()
  const language = i18n.language
  const { instances, services, figures } = card
  const [namespace, name] = card.id.includes('/') ? card.id.split('/') : ['', nameOf(t, card.id, card.folded)]
  const versions = versionsOf(card, language)
  const marks = cardMarks(t, card).join(' · ')
  return (
    <button
      type="button"
      className="map-card"
      data-health={card.health}
      data-faint={isFaint || undefined}
      aria-pressed={isPicked}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="map-card-name">
        <span aria-hidden="true" className="map-shape">
          {SHAPES[card.health]}
        </span>
        {namespace && <small>{namespace}/</small>}
        <b>{name}</b>
        <span className="map-unseen">{t(`signals.health.${card.health}`)}</span>
      </span>
      <span className="map-card-line">
        {instances && t('map.instances', { passing: instances.passing, known: instances.known })}
        {services && t('map.services', { count: Object.values(services).reduce((sum, one) => sum + one, 0) })}
        {figures.calls > 0 && ` · ${perSecond(figures.rps, language)}`}
        {inside && ` · ${t('map.inside', { rate: inside })}`}
      </span>
      {versions && (
        <span className="map-card-line map-card-long" title={versions}>
          {versions}
        </span>
      )}
      {marks && (
        <span className="map-card-line map-card-long" title={marks}>
          {marks}
        </span>
      )}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </button>
  )
}

const CallLine = memo(function CallLine({ id, data }: EdgeProps<CallEdge>) {
  const { lines, picked } = useContext(Shown)
  const content = lines.get(id)
  if (!content || !data) return null
  const { line, result, isFaint } = content
  const path = smooth(data.points)
  const tone = toneOf(content)
  const isPicked = picked === id
  const isDotted = result !== 'gone' && isOfBytes(line)
  return (
    <g
      className="map-call"
      data-health={line.health}
      data-faint={isFaint || undefined}
      data-picked={isPicked || undefined}
    >
      <path
        d={path}
        fill="none"
        stroke={TONES[tone]}
        strokeWidth={Math.max(line.folded ? 1 : widthOf(line.figures.rps), isDotted ? DOT_PX : 0) + (isPicked ? 2 : 0)}
        strokeDasharray={result === 'gone' ? '6 4' : isDotted ? '0.1 6' : undefined}
        strokeLinecap={isDotted ? 'round' : undefined}
        markerEnd={`url(#map-arrow-${tone})`}
      />
      <path d={path} fill="none" stroke="transparent" strokeWidth={18} />
    </g>
  )
})

const CallLabel = memo(function CallLabel({ data }: EdgeProps<LabelEdge>) {
  const { lines } = useContext(Shown)
  const content = lines.get(data?.of ?? '')
  if (!data || !content?.text) return null
  const { line, text, marks } = content
  const { at } = data
  return (
    <g className="map-label" data-health={line.health}>
      <text x={at.x} y={at.y - ABOVE_PX - (marks ? LINE_PX : 0)}>
        {text}
        {marks && (
          <tspan x={at.x} dy={LINE_PX}>
            {marks}
          </tspan>
        )}
      </text>
    </g>
  )
})

const NODES = { card: NodeCard }
const EDGES = { call: CallLine, label: CallLabel }
