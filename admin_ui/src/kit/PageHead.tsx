import { Button } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { CopyCommand } from './CopyCommand'

/** A page's title, what can be done there, and the command that gets the same. */
export function PageHead({ title, command, children }: { title: ReactNode; command?: string; children?: ReactNode }) {
  const [isShown, setShown] = useState(false)
  return (
    <div style={{ marginBottom: 16 }}>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center' }}>
        <h1 style={{ fontSize: 20, margin: 0, flex: 1, minWidth: 200 }}>{title}</h1>
        {command && (
          <Button variant="default" aria-expanded={isShown} onClick={() => setShown(!isShown)}>
            CLI
          </Button>
        )}
        {children}
      </div>
      {isShown && command && (
        <div style={{ marginTop: 8 }}>
          <CopyCommand text={command} />
        </div>
      )}
    </div>
  )
}
