const WIDTH = 240
const HEIGHT = 40
const INSET = 2

/** A line over time, gaps where nothing is known; label says in words what it shows. */
export function Sparkline({ points, label }: { points: readonly (number | null)[]; label: string }) {
  const known = points.filter((one) => one !== null)
  const top = Math.max(...known, 0)
  const step = WIDTH / Math.max(1, points.length - 1)
  const height = (value: number) => HEIGHT - INSET - (top === 0 ? 0 : (value / top) * (HEIGHT - 2 * INSET))
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width="100%"
      height={HEIGHT}
      preserveAspectRatio="none"
    >
      <path
        d={pathOf(points, step, height)}
        fill="none"
        stroke="var(--accent)"
        strokeWidth="1.5"
        vectorEffect="non-scaling-stroke"
        strokeLinecap="round"
      />
    </svg>
  )
}

export function pathOf(points: readonly (number | null)[], step: number, height: (value: number) => number): string {
  let path = ''
  let isDrawing = false
  points.forEach((value, at) => {
    if (value === null) {
      isDrawing = false
      return
    }
    const place = `${(at * step).toFixed(1)} ${height(value).toFixed(1)}`
    path += `${isDrawing ? 'L' : 'M'}${place}${isDrawing ? '' : 'h0'}`
    isDrawing = true
  })
  return path
}
