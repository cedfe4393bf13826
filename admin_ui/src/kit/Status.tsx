export type Health = 'ok' | 'warn' | 'bad' | 'idle' | 'unknown'

export const SHAPES: Record<Health, string> = { ok: '●', warn: '▲', bad: '■', idle: '○', unknown: '◌' }
// Calm by default: what is well is grey.
const COLOURS: Record<Health, string> = {
  ok: 'var(--muted)',
  warn: 'var(--warn)',
  bad: 'var(--bad)',
  idle: 'var(--idle)',
  unknown: 'var(--idle)',
}

/** A state by shape, colour and word, so that none of the three is needed alone. */
export function Status({ health, children }: { health: Health; children: React.ReactNode }) {
  return (
    <span className="status" data-health={health}>
      <span aria-hidden="true" style={{ color: COLOURS[health] }}>
        {SHAPES[health]}
      </span>
      {children}
    </span>
  )
}
