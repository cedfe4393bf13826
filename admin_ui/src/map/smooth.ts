export type Point = { x: number; y: number }

/** A line through an edge's bends: straight to the middle of each piece, round at the bends. */
export function smooth(points: readonly Point[]): string {
  const [first, second] = points
  if (!first) return ''
  let path = `M${at(first)}`
  if (points.length === 2 && second) return curve(first, second)
  for (let i = 1; i < points.length - 1; i += 1) {
    const [bend, next] = [points[i] as Point, points[i + 1] as Point]
    const end = i === points.length - 2 ? next : { x: (bend.x + next.x) / 2, y: (bend.y + next.y) / 2 }
    path += `Q${at(bend)} ${at(end)}`
  }
  return path
}

function curve(from: Point, to: Point): string {
  const middle = (from.x + to.x) / 2
  return `M${at(from)}C${at({ x: middle, y: from.y })} ${at({ x: middle, y: to.y })} ${at(to)}`
}

function at({ x, y }: Point): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`
}
