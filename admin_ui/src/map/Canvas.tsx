import '@xyflow/react/dist/base.css'
import { Button } from '@mantine/core'
import {
  type Edge,
  type EdgeProps,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react'
import { memo, useEffect, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { perSecond } from '../i18n/format'
import { SHAPES } from '../kit/Status'
import type { Result } from './compare'
import { type Card, type Graph, type Line, widthOf } from './graph'
import { CARD, type LayoutAnswer, useLayout } from './layout'
import type { LabelKind } from './search'
import { type Point, smooth } from './smooth'
import { cardMarks, labelOf, marksOf, nameOf, versionsOf } from './words'

const SIGNS: Record<Result, string> = { added: '+ ', gone: '− ', changed: '△ ' }
const FIT = { padding: 0.06, minZoom: 0.4, maxZoom: 1.1, duration: 0 }
const LINE_PX = 14
// What stands on a line stands above it, so that the line can be followed.
const ABOVE_PX = 6

type Props = {
  graph: Graph
  names: LabelKind
  silent: ReadonlySet<string>
  results: ReadonlyMap<string, Result>
  picked: string | undefined
  pick: (id: string) => void
}

type CardNode = Node<{ card: Card; inside: string; isFaint: boolean; isPicked: boolean }, 'card'>
type CallEdge = Edge<
  {
    line: Line
    points: Point[]
    at: Point
    text: string
    marks: string
    result: Result | undefined
    isFaint: boolean
    isPicked: boolean
  },
  'call'
>

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
  const nodes = useCards(graph, layout, silent, picked)
  const edges = useCalls({ graph, layout, names, silent, results, picked })
  const key = layout?.key
  // biome-ignore lint/correctness/useExhaustiveDependencies: another layout is looked at whole
  useEffect(() => {
    const frame = window.requestAnimationFrame(() => void fitView(FIT))
    return () => window.cancelAnimationFrame(frame)
  }, [key, fitView])
  return (
    <div className="map-canvas" aria-busy={layout === undefined}>
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
        minZoom={0.15}
        maxZoom={2}
        onNodeClick={(_, { id }) => pick(id)}
        onEdgeClick={(_, { id }) => pick(id)}
      />
      <div className="map-zoom">
        <Button variant="default" size="compact-sm" aria-label={t('map.zoomIn')} onClick={() => void zoomIn()}>
          +
        </Button>
        <Button variant="default" size="compact-sm" aria-label={t('map.zoomOut')} onClick={() => void zoomOut()}>
          −
        </Button>
        <Button variant="default" size="compact-sm" onClick={() => void fitView(FIT)}>
          {t('map.fit')}
        </Button>
      </div>
    </div>
  )
}

function useCards(graph: Graph, layout: LayoutAnswer | undefined, silent: ReadonlySet<string>, picked?: string) {
  const { i18n } = useTranslation()
  return useMemo(() => {
    const inside = new Map(graph.lines.filter((one) => one.source === one.target).map((one) => [one.source, one]))
    return graph.cards.flatMap((card): CardNode[] => {
      const position = layout?.nodes[card.id]
      if (!position) return []
      const own = inside.get(card.id)
      return [
        {
          id: card.id,
          type: 'card',
          position,
          width: CARD.width,
          height: CARD.height,
          data: {
            card,
            inside: own && own.figures.calls > 0 ? perSecond(own.figures.rps, i18n.language) : '',
            isFaint: silent.has(card.id),
            isPicked: picked === card.id,
          },
        },
      ]
    })
  }, [graph, layout, silent, picked, i18n.language])
}

type CallsAsked = Omit<Props, 'pick'> & { layout: LayoutAnswer | undefined }

function useCalls({ graph, layout, names, silent, results, picked }: CallsAsked) {
  const { t, i18n } = useTranslation()
  return useMemo(() => {
    const out = new Map<string, number>()
    for (const { source, figures } of graph.lines) out.set(source, (out.get(source) ?? 0) + figures.calls)
    return graph.lines.flatMap((line): CallEdge[] => {
      const way = layout?.edges[line.id]
      if (!way || line.source === line.target) return []
      const result = results.get(line.id)
      const share = line.figures.calls / Math.max(1, out.get(line.source) ?? 0)
      const label = labelOf(line.figures, names, share, i18n.language)
      const marks = names === 'none' ? '' : marksOf(t, line, i18n.language).join(' · ')
      const text = result ? `${SIGNS[result]}${t(`map.result.${result}`)} ${label}` : label
      return [
        {
          id: line.id,
          source: line.source,
          target: line.target,
          type: 'call',
          ariaLabel: [`${nameOf(t, line.source)} → ${nameOf(t, line.target)}`, text, marks].filter(Boolean).join(', '),
          markerEnd: { type: MarkerType.ArrowClosed, color: colourOf(line, result), width: 14, height: 14 },
          data: {
            line,
            points: way.points,
            at: { x: way.x, y: way.y },
            text,
            marks,
            result,
            isFaint: silent.has(line.id),
            isPicked: picked === line.id,
          },
        },
      ]
    })
  }, [graph, layout, names, silent, results, picked, t, i18n.language])
}

function colourOf({ health }: Line, result: Result | undefined): string {
  if (result === 'added') return 'var(--ok)'
  if (result === 'gone') return 'var(--bad)'
  if (health === 'bad') return 'var(--bad)'
  return health === 'warn' ? 'var(--warn)' : 'var(--border)'
}

const NodeCard = memo(function NodeCard({ data: { card, inside, isFaint, isPicked } }: NodeProps<CardNode>) {
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
      <span className="map-card-line">{[versions, marks].filter(Boolean).join(' · ')}</span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </button>
  )
})

const CallLine = memo(function CallLine({ data, markerEnd }: EdgeProps<CallEdge>) {
  if (!data) return null
  const { line, points, at, text, marks, result, isFaint, isPicked } = data
  const path = smooth(points)
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
        stroke={colourOf(line, result)}
        strokeWidth={widthOf(line.figures.rps) + (isPicked ? 2 : 0)}
        strokeDasharray={result === 'gone' ? '6 4' : undefined}
        markerEnd={markerEnd}
      />
      <path d={path} fill="none" stroke="transparent" strokeWidth={18} />
      {text && (
        <text x={at.x} y={at.y - ABOVE_PX - (marks ? LINE_PX : 0)}>
          {text}
          {marks && (
            <tspan x={at.x} dy={LINE_PX}>
              {marks}
            </tspan>
          )}
        </text>
      )}
    </g>
  )
})

const NODES = { card: NodeCard }
const EDGES = { call: CallLine }
