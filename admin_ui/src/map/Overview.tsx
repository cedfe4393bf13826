import { Button, useComputedColorScheme } from '@mantine/core'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Health, SHAPES } from '../kit/Status'
import {
  type Colours,
  cellAt,
  fitted,
  moved,
  type OverviewAsked,
  type OverviewTold,
  type Picture,
  type View,
  zoomed,
} from './drawing'
import type { Graph } from './graph'
import type { Place } from './layered'
import { saidOf } from './words'

const REDRAW_MS = 120
const MARGIN = 200
const STEP = 1.3
const CLICK_PX = 4
const HEALTHS: Health[] = ['ok', 'warn', 'bad', 'idle', 'unknown']

type Props = { graph: Graph; picked: string | undefined; pick: (id: string) => void }

/**
 * All services on one canvas, drawn by a worker. A gesture moves the finished picture; it is drawn anew when the gesture
 * rests. Edges are those that are not well, and those of the service below the pointer.
 */
export function Overview({ graph, picked, pick }: Props) {
  const { t, i18n } = useTranslation()
  const [all, setAll] = useState(false)
  const [over, setOver] = useState('')
  const picture = useMemo((): Picture => pictureOf(graph), [graph])
  const board = useBoard(picture, over || picked || '', all, setOver, pick)
  const card = graph.cards.find(({ id }) => id === (over || picked))
  return (
    <div>
      <div
        className="map-canvas map-overview"
        ref={board.box}
        role="img"
        aria-label={t('map.overviewSaid', { count: graph.cards.length })}
      />
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center', marginTop: 8 }}>
        <Button variant="default" size="compact-sm" aria-label={t('map.zoomIn')} onClick={() => board.zoom(STEP)}>
          +
        </Button>
        <Button variant="default" size="compact-sm" aria-label={t('map.zoomOut')} onClick={() => board.zoom(1 / STEP)}>
          −
        </Button>
        <Button variant="default" size="compact-sm" onClick={board.fit}>
          {t('map.fit')}
        </Button>
        <Button variant="default" size="compact-sm" aria-pressed={all} onClick={() => setAll(!all)}>
          {t('map.allEdges')}
        </Button>
        <span style={{ color: 'var(--muted)' }}>{card ? saidOf(t, card, i18n.language) : t('map.overviewHint')}</span>
      </div>
    </div>
  )
}

function pictureOf({ cards, lines }: Graph): Picture {
  return {
    cells: cards.map(({ id, health }) => ({ id, health, group: id.split('/')[0] ?? '', sign: SHAPES[health] })),
    links: lines.map(({ source, target, health }) => ({ source, target, health })),
  }
}

function useBoard(
  picture: Picture,
  lit: string,
  all: boolean,
  setOver: (id: string) => void,
  pick: (id: string) => void,
) {
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement | null>(null)
  const worker = useRef<Worker | null>(null)
  const view = useRef<View>({ x: 0, y: 0, k: 1 })
  const drawn = useRef<View>({ x: 0, y: 0, k: 1 })
  const places = useRef<readonly Place[]>([])
  const wanted = useRef({ lit, all })
  const calls = useRef({ setOver, pick })
  calls.current = { setOver, pick }
  const scheme = useComputedColorScheme()

  const ask = useCallback((asked: OverviewAsked) => worker.current?.postMessage(asked), [])
  const paint = useCallback(() => {
    const element = box.current
    if (element === null) return
    const { clientWidth: width, clientHeight: height } = element
    const ratio = window.devicePixelRatio
    ask({
      kind: 'paint',
      paint: { view: { ...view.current }, width, height, ratio, margin: MARGIN, colours: colours(), ...wanted.current },
    })
  }, [ask])
  const timer = useRef(0)
  const frame = useRef(0)
  const move = useCallback(
    (next: View) => {
      view.current = next
      frame.current ||= window.requestAnimationFrame(() => {
        frame.current = 0
        if (canvas.current) canvas.current.style.transform = moved(drawn.current, view.current, MARGIN)
      })
      window.clearTimeout(timer.current)
      timer.current = window.setTimeout(paint, REDRAW_MS)
    },
    [paint],
  )
  const fit = useCallback(() => {
    if (box.current) move(fitted(places.current, box.current.clientWidth, box.current.clientHeight))
  }, [move])

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const made = document.createElement('canvas')
    const hired = new Worker(new URL('./overview.worker.ts', import.meta.url), { type: 'module' })
    canvas.current = made
    worker.current = hired
    element.append(made)
    const off = made.transferControlToOffscreen()
    hired.postMessage({ kind: 'canvas', canvas: off } satisfies OverviewAsked, [off])
    hired.onmessage = ({ data }: MessageEvent<OverviewTold>) => {
      if (data.kind === 'places') {
        places.current = data.places
        view.current = fitted(data.places, element.clientWidth, element.clientHeight)
        paint()
        return
      }
      drawn.current = data.view
      const { clientWidth: width, clientHeight: height } = element
      made.style.width = `${width + 2 * MARGIN}px`
      made.style.height = `${height + 2 * MARGIN}px`
      made.style.transform = moved(data.view, view.current, MARGIN)
      element.dataset.drawn = String(places.current.length)
    }
    const sized = new ResizeObserver(paint)
    sized.observe(element)
    const stop = gestures(element, {
      view: () => view.current,
      move,
      over: (x, y) => calls.current.setOver(cellAt(places.current, view.current, x, y) ?? ''),
      click: (x, y) => {
        const id = cellAt(places.current, view.current, x, y)
        if (id) calls.current.pick(id)
      },
    })
    return () => {
      stop()
      sized.disconnect()
      hired.terminate()
      made.remove()
      window.clearTimeout(timer.current)
      window.cancelAnimationFrame(frame.current)
    }
  }, [move, paint])
  useEffect(() => ask({ kind: 'picture', picture }), [picture, ask])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours go with the scheme
  useEffect(() => {
    wanted.current = { lit, all }
    paint()
  }, [lit, all, scheme, paint])
  const zoom = useCallback(
    (factor: number) => {
      if (box.current) move(zoomed(view.current, factor, box.current.clientWidth / 2, box.current.clientHeight / 2))
    },
    [move],
  )
  return { box, fit, zoom }
}

type Hands = {
  view: () => View
  move: (view: View) => void
  over: (x: number, y: number) => void
  click: (x: number, y: number) => void
}

/** Dragging moves, Ctrl and the wheel or two fingers zoom, a click picks. Coordinates are those of the box. */
function gestures(element: HTMLElement, { view, move, over, click }: Hands): () => void {
  const held = new Map<number, { x: number; y: number }>()
  let travelled = 0
  const place = (event: MouseEvent) => {
    const { left, top } = element.getBoundingClientRect()
    return { x: event.clientX - left, y: event.clientY - top }
  }
  const down = (event: PointerEvent) => {
    element.setPointerCapture(event.pointerId)
    held.set(event.pointerId, place(event))
    travelled = 0
  }
  const moving = (event: PointerEvent) => {
    const now = place(event)
    const before = held.get(event.pointerId)
    if (!before) {
      over(now.x, now.y)
      return
    }
    travelled += Math.abs(now.x - before.x) + Math.abs(now.y - before.y)
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1]
    held.set(event.pointerId, now)
    const { x, y, k } = view()
    if (!other) move({ k, x: x + now.x - before.x, y: y + now.y - before.y })
    else {
      const distance = (one: { x: number; y: number }) => Math.hypot(one.x - other.x, one.y - other.y)
      move(zoomed(view(), distance(now) / Math.max(1, distance(before)), other.x, other.y))
    }
  }
  const up = (event: PointerEvent) => {
    const isHeld = held.delete(event.pointerId)
    if (isHeld && event.type === 'pointerup' && travelled < CLICK_PX) click(place(event).x, place(event).y)
  }
  const wheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return
    event.preventDefault()
    const { x, y } = place(event)
    move(zoomed(view(), Math.exp(-event.deltaY * 0.002), x, y))
  }
  const leave = () => over(-1, -1)
  element.addEventListener('pointerdown', down)
  element.addEventListener('pointermove', moving)
  element.addEventListener('pointerup', up)
  element.addEventListener('pointercancel', up)
  element.addEventListener('pointerleave', leave)
  element.addEventListener('wheel', wheel, { passive: false })
  return () => {
    element.removeEventListener('pointerdown', down)
    element.removeEventListener('pointermove', moving)
    element.removeEventListener('pointerup', up)
    element.removeEventListener('pointercancel', up)
    element.removeEventListener('pointerleave', leave)
    element.removeEventListener('wheel', wheel)
  }
}

function colours(): Colours {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const found = Object.fromEntries(HEALTHS.map((health) => [health, colour(health === 'unknown' ? 'idle' : health)]))
  // Calm by default: what is well is grey.
  return {
    ...found,
    ok: colour('border'),
    text: colour('text'),
    surface: colour('surface'),
    accent: colour('accent'),
  } as Colours
}
