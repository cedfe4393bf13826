import type { Health } from '../kit/Status'
import { CELL, type Place } from './layered'

/** Where the world's origin lies in the box, and how large a unit is. */
export type View = { x: number; y: number; k: number }
export type Colours = Record<Health | 'text' | 'surface' | 'accent', string>
export type Picture = {
  cells: { id: string; group: string; sign: string; health: Health }[]
  links: { source: string; target: string; health: Health }[]
}
/** margin: drawn beyond the box on each side, so that what is moved in is there. lit: the cell whose edges are shown. */
export type Paint = {
  view: View
  width: number
  height: number
  ratio: number
  margin: number
  colours: Colours
  lit: string
  all: boolean
}
export type OverviewAsked =
  | { kind: 'canvas'; canvas: OffscreenCanvas }
  | { kind: 'picture'; picture: Picture }
  | { kind: 'paint'; paint: Paint }
export type OverviewTold = { kind: 'places'; places: Place[] } | { kind: 'drawn'; view: View }

const LEAST_K = 0.05
const MOST_K = 3

/** The finished picture of `drawn` moved to where `view` wants it: a CSS transform about the upper left corner. */
export function moved(drawn: View, view: View, margin: number): string {
  const scale = view.k / drawn.k
  const x = view.x - scale * (drawn.x + margin)
  const y = view.y - scale * (drawn.y + margin)
  return `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px) scale(${scale.toFixed(5)})`
}

/** Larger or smaller about a point of the box. */
export function zoomed(view: View, factor: number, x: number, y: number): View {
  const k = Math.min(MOST_K, Math.max(LEAST_K, view.k * factor))
  const scale = k / view.k
  return { k, x: x - (x - view.x) * scale, y: y - (y - view.y) * scale }
}

/** All of it, in the middle of the box. */
export function fitted(places: readonly Place[], width: number, height: number): View {
  if (places.length === 0) return { x: 0, y: 0, k: 1 }
  const right = Math.max(...places.map(({ x }) => x)) + CELL.width
  const bottom = Math.max(...places.map(({ y }) => y)) + CELL.height
  const k = Math.min(1, Math.max(LEAST_K, Math.min((width - 32) / right, (height - 32) / bottom)))
  return { k, x: (width - right * k) / 2, y: (height - bottom * k) / 2 }
}

/** The cell at a point of the box. */
export function cellAt(places: readonly Place[], view: View, x: number, y: number): string | undefined {
  const [wx, wy] = [(x - view.x) / view.k, (y - view.y) / view.k]
  return places.find((one) => wx >= one.x && wx <= one.x + CELL.width && wy >= one.y && wy <= one.y + CELL.height)?.id
}
