type Props = { points: readonly (number | null)[]; label: string; width?: number }

const HEIGHT = 20
const WIDTH = 96
const INSET = 1

/** The course of one number, drawn from 0 to its highest; gaps where there was none. label: what it says, in words. */
export function Sparkline({ points, label, width = WIDTH }: Props) {
  const most = Math.max(...points.map((one) => one ?? 0), 0)
  const step = width / Math.max(1, points.length - 1)
  const height = (value: number) => HEIGHT - INSET - (most > 0 ? (value / most) * (HEIGHT - 2 * INSET) : 0)
  return (
    <svg role="img" aria-label={label} width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`}>
      <path
        d={pathOf(points, step, height)}
        fill="none"
        stroke="var(--accent)"
        strokeWidth="1.5"
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
