import { Button } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

const TOLD_MS = 2_000

/** A text to take along: a command, a snippet, a token that is told once. */
export function CopyCommand({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation()
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = window.setTimeout(() => setCopied(false), TOLD_MS)
    return () => window.clearTimeout(timer)
  }, [isCopied])
  return (
    <div className="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by keys */}
      <section tabIndex={0} aria-label={label ?? t('kit.command')}>
        <pre>{text}</pre>
      </section>
      <Button
        variant="default"
        size="compact-xs"
        onClick={() => navigator.clipboard.writeText(text).then(() => setCopied(true))}
      >
        {isCopied ? t('kit.copied') : t('kit.copy')}
      </Button>
    </div>
  )
}
