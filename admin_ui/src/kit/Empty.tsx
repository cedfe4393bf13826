import type { ReactNode } from 'react'
import { CopyCommand } from './CopyCommand'

/** Nothing is there: what that means, the next step, and the command that takes it. */
export function Empty({ title, command, children }: { title: string; command?: string; children?: ReactNode }) {
  return (
    <div className="panel" style={{ padding: 24 }}>
      <p style={{ margin: '0 0 8px', fontSize: 14 }}>{title}</p>
      {children && <div style={{ marginBottom: 8 }}>{children}</div>}
      {command && <CopyCommand text={command} />}
    </div>
  )
}
