import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { clock } from '../i18n/format'

export type ChartLine = { name: string; points: readonly (number | null)[] }
/** at: seconds since 1970. */
export type Mark = { at: number; name: string }

type Props = {
  title: string
  /** Of the first point, seconds since 1970. */
  first: number
  step_s: number
  lines: readonly ChartLine[]
  marks?: readonly Mark[]
  format: (value: number) => string
}

const HEIGHT = 180
const AXIS_PX = 72
const COLOURS = ['--accent', '--warn', '--bad', '--info']
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]]

/** Numbers over time, drawn from 0; marks are upright lines. The same is said in words, and stands in a table. */
export function SeriesChart(props: Props) {
  const { t, i18n } = useTranslation()
  const { title, lines, format } = props
  const times = timesOf(props)
  const said = lines.map((line) => {
    const known = line.points.filter((one) => one !== null)
    const last = known.at(-1)
    if (last === undefined) return `${line.name}: ${t('signals.noPoints')}`
    const [least, most] = [Math.min(...known), Math.max(...known)].map(format) as [string, string]
    return t('signals.line', { name: line.name, least, most, last: format(last) })
  })
  return (
    <figure className="panel" style={{ margin: 0, minWidth: 0 }}>
      <figcaption style={{ fontWeight: 600, marginBottom: 4 }}>{title}</figcaption>
      <Plot {...props} said={t('signals.summary', { title, lines: said.join('; ') })} />
      <details>
        <summary style={{ minHeight: 24, cursor: 'pointer' }}>{t('signals.asTable')}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
        <section className="table-box" tabIndex={0} aria-label={title} style={{ maxHeight: 240 }}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('signals.when')}</th>
                {lines.map((line) => (
                  <th key={line.name} scope="col" className="number">
                    {line.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, at) => (
                <tr key={time}>
                  <td>{clock(time * 1000, i18n.language)}</td>
                  {lines.map((line) => {
                    const value = line.points[at] ?? null
                    return (
                      <td key={line.name} className="number">
                        {value === null ? '–' : format(value)}
                      </td>
                    )
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  )
}

function timesOf({ first, step_s, lines }: Pick<Props, 'first' | 'step_s' | 'lines'>): number[] {
  return (lines[0]?.points ?? []).map((_, at) => first + at * step_s)
}

function Plot({ first, step_s, lines, marks = [], format, said }: Props & { said: string }) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const drawn = useRef({ marks, format })
  drawn.current = { marks, format }
  const scheme = useComputedColorScheme()
  const names = lines.map((line) => line.name).join('\n')

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read from the page, and go with the scheme
  useEffect(() => {
    const box = place.current
    if (box === null) return
    const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
    const [muted, line] = [colour('--muted'), colour('--line')]
    const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
    const made = new uPlot(
      {
        width: box.clientWidth,
        height: HEIGHT,
        legend: { live: false },
        cursor: { drag: { setScale: false, x: false, y: false } },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [axis, { ...axis, size: AXIS_PX, values: (_, values) => values.map((one) => drawn.current.format(one)) }],
        series: [
          {},
          ...names.split('\n').map((label, at) => ({
            label,
            width: 1.5,
            stroke: colour(COLOURS[at % COLOURS.length] as string),
            dash: DASHES[at % DASHES.length],
          })),
        ],
        hooks: { draw: [(self) => drawMarks(self, drawn.current.marks, muted)] },
      },
      [[]],
      box,
    )
    plot.current = made
    const sized = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: HEIGHT }))
    sized.observe(box)
    return () => {
      sized.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [names, scheme])

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot that was made anew has no points yet
  useEffect(() => {
    plot.current?.setData([timesOf({ first, step_s, lines }), ...lines.map((line) => [...line.points])])
  }, [first, step_s, lines, marks, scheme, names])

  return <div role="img" aria-label={said} ref={place} style={{ minHeight: HEIGHT, overflow: 'hidden' }} />
}

function drawMarks(plot: uPlot, marks: readonly Mark[], colour: string) {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = colour
  ctx.setLineDash([3, 3])
  ctx.textAlign = 'left'
  const end = bbox.left + bbox.width
  let free = bbox.left
  for (const { at, name } of [...marks].sort((a, b) => a.at - b.at)) {
    const x = plot.valToPos(at, 'x', true)
    if (x < bbox.left || x > end) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    // Revisions that follow each other closely would be written over each other: the line alone is drawn of those.
    const width = ctx.measureText(name).width
    const start = x + 3 + width > end ? x - 3 - width : x + 3
    if (start < free) continue
    ctx.fillText(name, start, bbox.top + 10)
    free = start + width + 3
  }
  ctx.restore()
}
