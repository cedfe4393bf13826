import { useTranslation } from 'react-i18next'
import type { TraceSpan } from '../api/requests'
import { millis } from '../i18n/format'
import { Status } from '../kit/Status'

const INDENT_PX = 16

/** Spans as a time line, each below the one it belongs to. */
export function TraceView({ spans }: { spans: readonly TraceSpan[] }) {
  const { t, i18n } = useTranslation()
  const began_s = Math.min(...spans.map((one) => one.began_s))
  const length_s = Math.max(...spans.map((one) => one.ended_s)) - began_s || 1e-6
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section className="table-box" tabIndex={0} aria-label={t('requests.trace')}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t('requests.span')}</th>
            <th scope="col">{t('gateways.node')}</th>
            <th scope="col" style={{ width: '40%' }}>
              {t('requests.timeline')}
            </th>
            <th scope="col" className="number">
              {t('requests.took')}
            </th>
          </tr>
        </thead>
        <tbody>
          {inOrder(spans).map(({ span, depth }) => (
            <tr key={span.span_id}>
              <td className="wrap" style={{ paddingInlineStart: 12 + depth * INDENT_PX }}>
                <details>
                  <summary style={{ minHeight: 24, cursor: 'pointer' }}>
                    <Status health={span.error ? 'bad' : 'ok'}>{span.name}</Status>
                  </summary>
                  <Attributes span={span} />
                </details>
              </td>
              <td>{span.node}</td>
              <td>
                <span className="span-bar">
                  <span
                    style={{
                      marginInlineStart: `${((span.began_s - began_s) / length_s) * 100}%`,
                      width: `${((span.ended_s - span.began_s) / length_s) * 100}%`,
                      background: span.error ? 'var(--bad)' : 'var(--accent)',
                    }}
                  />
                </span>
              </td>
              <td className="number">{millis((span.ended_s - span.began_s) * 1000, i18n.language)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Attributes({ span }: { span: TraceSpan }) {
  const events = (span.events ?? []).map((one) => [one.name, JSON.stringify(one.attributes ?? {})] as const)
  return (
    <dl className="facts">
      {[...Object.entries(span.attributes ?? {}), ...events].map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{String(value)}</dd>
        </div>
      ))}
    </dl>
  )
}

/** Parents before their children, each as deep as it has parents here. */
export function inOrder(spans: readonly TraceSpan[]): { span: TraceSpan; depth: number }[] {
  const known = new Set(spans.map((one) => one.span_id))
  const below = new Map<string, TraceSpan[]>()
  for (const span of spans) {
    const parent = span.parent_id && known.has(span.parent_id) ? span.parent_id : ''
    below.set(parent, [...(below.get(parent) ?? []), span])
  }
  const found: { span: TraceSpan; depth: number }[] = []
  const open: { span: TraceSpan; depth: number }[] = (below.get('') ?? []).map((span) => ({ span, depth: 0 })).reverse()
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    found.push(one)
    const { span, depth } = one
    open.push(...(below.get(span.span_id) ?? []).map((child) => ({ span: child, depth: depth + 1 })).reverse())
  }
  return found
}
