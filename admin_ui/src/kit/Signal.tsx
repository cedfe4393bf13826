import type { ReactNode } from 'react'

/** A number with its name, and its course beside it. */
export function Signal({ name, value, children }: { name: string; value: string; children?: ReactNode }) {
  return (
    <div className="signal">
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong> {children}
      </dd>
    </div>
  )
}
