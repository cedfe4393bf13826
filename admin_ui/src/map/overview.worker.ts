import type { OverviewAsked, OverviewTold, Paint, Picture } from './drawing'
import { CELL, layered, type Place } from './layered'

const NAMED_FROM = 0.55
const TEXT_PX = 11

let canvas: OffscreenCanvas | null = null
let picture: Picture = { cells: [], links: [] }
let places = new Map<string, Place>()
let shape = ''
let paint: Paint | null = null
let isDue = false

const tell = (told: OverviewTold) => self.postMessage(told)

self.onmessage = ({ data }: MessageEvent<OverviewAsked>) => {
  if (data.kind === 'canvas') canvas = data.canvas
  if (data.kind === 'picture') take(data.picture)
  if (data.kind === 'paint') paint = data.paint
  if (isDue) return
  isDue = true
  // Of several questions at once only the last picture is of use.
  setTimeout(() => {
    isDue = false
    draw()
  })
}

function take(next: Picture) {
  picture = next
  const now = `${next.cells.map(({ id }) => id).join('|')}\n${next.links.map((one) => `${one.source}→${one.target}`).join('|')}`
  if (now === shape) return
  shape = now
  const found = layered(next.cells, next.links)
  places = new Map(found.map((place) => [place.id, place]))
  tell({ kind: 'places', places: found })
}

function draw() {
  const context = canvas?.getContext('2d')
  if (!canvas || !context || !paint) return
  const { view, width, height, ratio, margin, colours, lit, all } = paint
  canvas.width = Math.round((width + 2 * margin) * ratio)
  canvas.height = Math.round((height + 2 * margin) * ratio)
  const { x, y, k } = view
  context.setTransform(k * ratio, 0, 0, k * ratio, (x + margin) * ratio, (y + margin) * ratio)
  const [left, top] = [-(x + margin) / k, -(y + margin) / k]
  const [right, bottom] = [left + (width + 2 * margin) / k, top + (height + 2 * margin) / k]
  const isSeen = (place: Place) =>
    place.x + CELL.width > left && place.x < right && place.y + CELL.height > top && place.y < bottom
  for (const link of picture.links) {
    const isLit = lit !== '' && (link.source === lit || link.target === lit)
    if (!isLit && !all && link.health !== 'bad' && link.health !== 'warn') continue
    const [from, to] = [places.get(link.source), places.get(link.target)]
    if (!from || !to || !(isSeen(from) || isSeen(to))) continue
    const start = { x: from.x + CELL.width, y: from.y + CELL.height / 2 }
    const end = { x: to.x, y: to.y + CELL.height / 2 }
    const reach = Math.max(30, Math.abs(end.x - start.x) / 2)
    context.strokeStyle = isLit ? colours.accent : colours[link.health]
    context.lineWidth = (isLit ? 2 : 1) / k
    context.globalAlpha = isLit || link.health === 'bad' ? 1 : 0.6
    context.beginPath()
    context.moveTo(start.x, start.y)
    context.bezierCurveTo(start.x + reach, start.y, end.x - reach, end.y, end.x, end.y)
    context.stroke()
  }
  context.globalAlpha = 1
  context.font = `${TEXT_PX}px system-ui, sans-serif`
  context.textBaseline = 'middle'
  for (const cell of picture.cells) {
    const place = places.get(cell.id)
    if (!place || !isSeen(place)) continue
    const isUnwell = cell.health === 'bad' || cell.health === 'warn'
    context.fillStyle = k < NAMED_FROM && isUnwell ? colours[cell.health] : colours.surface
    context.strokeStyle = cell.id === lit ? colours.accent : colours[cell.health]
    context.lineWidth = (isUnwell || cell.id === lit ? 2 : 1) / Math.min(1, k)
    context.fillRect(place.x, place.y, CELL.width, CELL.height)
    context.strokeRect(place.x, place.y, CELL.width, CELL.height)
    if (k < NAMED_FROM) continue
    context.save()
    context.beginPath()
    context.rect(place.x, place.y, CELL.width - 4, CELL.height)
    context.clip()
    context.fillStyle = isUnwell ? colours[cell.health] : colours.text
    context.fillText(`${cell.sign} ${cell.id}`, place.x + 6, place.y + CELL.height / 2)
    context.restore()
  }
  tell({ kind: 'drawn', view })
}
