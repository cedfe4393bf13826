import { expect, test } from 'vitest'
import { cellAt, fitted, moved, zoomed } from './drawing'
import { CELL } from './layered'

const VIEW = { x: 10, y: 20, k: 0.5 }

test('zooming leaves the point below the hand where it is', () => {
  const next = zoomed(VIEW, 2, 110, 70)
  const world = (view: typeof VIEW) => [(110 - view.x) / view.k, (70 - view.y) / view.k]
  expect(world(next)).toEqual(world(VIEW))
  expect(zoomed(VIEW, 1e9, 0, 0).k).toBe(3)
})

test('a picture that is drawn for the view is not moved but for its margin', () => {
  expect(moved(VIEW, VIEW, 200)).toBe('translate(-200.00px, -200.00px) scale(1.00000)')
  expect(moved(VIEW, { ...VIEW, x: 15 }, 200)).toBe('translate(-195.00px, -200.00px) scale(1.00000)')
})

test('all of it fits the box, and a cell is found where it is drawn', () => {
  const places = [
    { id: 'a', x: 0, y: 0 },
    { id: 'b', x: 2_000, y: 900 },
  ]
  const view = fitted(places, 800, 600)
  expect((2_000 + CELL.width) * view.k).toBeLessThanOrEqual(800)
  const at = (place: { x: number; y: number }) =>
    [place.x * view.k + view.x + 2, place.y * view.k + view.y + 2] as const
  expect(places.map((place) => cellAt(places, view, ...at(place)))).toEqual(['a', 'b'])
  expect(cellAt(places, view, 0, 0)).toBeUndefined()
})
