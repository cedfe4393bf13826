import { type KeyboardEvent, useId, useLayoutEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

/** text: what is put in place of `typed`, which stands before the caret. */
export type Suggestion = { text: string; typed: string; hint: string }

type Props = {
  label: string
  value: string
  onChange: (text: string) => void
  complete: (text: string, caret: number) => Suggestion[]
  isReadOnly?: boolean
  fault?: string
  /** That an answer found fault with, counted from 1. */
  lines?: readonly number[]
}

const SHOWN = 12
const INDENT = '  '

/**
 * YAML as plain text, with what may stand at the caret: Ctrl Space asks for it, and so does typing; arrows and Enter
 * choose, Escape closes. Tab leaves the field, as everywhere (WCAG 2.1.2).
 */
export function YamlEditor({ label, value, onChange, complete, isReadOnly = false, fault, lines = [] }: Props) {
  const { t } = useTranslation()
  const box = useRef<HTMLTextAreaElement>(null)
  const list = useId()
  const about = useId()
  const [offered, setOffered] = useState<Suggestion[]>([])
  const [at, setAt] = useState(0)
  const isOpen = offered.length > 0
  // Where the caret belongs once the text that was put in is there: before the next key is.
  const placed = useRef<number | null>(null)
  useLayoutEffect(() => {
    if (placed.current !== null) box.current?.setSelectionRange(placed.current, placed.current)
    placed.current = null
  })

  function offer(text: string, caret: number) {
    setOffered(complete(text, caret).slice(0, SHOWN))
    setAt(0)
  }

  function change(text: string, caret: number) {
    onChange(text)
    const line = text.slice(0, caret).split('\n').at(-1) ?? ''
    if (line.trim() !== '' && line.trim() !== '-') offer(text, caret)
    else setOffered([])
  }

  function choose(one: Suggestion | undefined) {
    const field = box.current
    if (field === null || one === undefined) return
    const from = field.selectionStart - one.typed.length
    placed.current = from + one.text.length
    onChange(value.slice(0, from) + one.text + value.slice(field.selectionEnd))
    setOffered([])
    field.focus()
  }

  function onKey(event: KeyboardEvent<HTMLTextAreaElement>) {
    const field = event.currentTarget
    if (event.key === ' ' && event.ctrlKey) {
      event.preventDefault()
      offer(value, field.selectionStart)
    } else if (isOpen && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault()
      setAt((at + (event.key === 'ArrowDown' ? 1 : -1) + offered.length) % offered.length)
    } else if (isOpen && event.key === 'Enter') {
      event.preventDefault()
      choose(offered[at])
    } else if (isOpen && event.key === 'Escape') {
      event.stopPropagation()
      setOffered([])
    } else if (event.key === 'Enter' && !isReadOnly && field.selectionStart === field.selectionEnd) {
      event.preventDefault()
      newLine(field)
    }
  }

  /** The next line begins where this one's text does, and deeper behind a colon. */
  function newLine(field: HTMLTextAreaElement) {
    const caret = field.selectionStart
    const line = value.slice(0, caret).split('\n').at(-1) ?? ''
    const depth = (/^\s*(?:- )*/.exec(line)?.[0] ?? '').length
    const text = `\n${' '.repeat(depth)}${/:\s*$/.test(line) ? INDENT : ''}`
    placed.current = caret + text.length
    onChange(value.slice(0, caret) + text + value.slice(caret))
  }

  const caret = box.current?.selectionStart ?? 0
  const row = value.slice(0, caret).split('\n').length
  return (
    <div className="editor">
      <textarea
        ref={box}
        aria-label={label}
        aria-describedby={about}
        aria-invalid={fault !== undefined}
        aria-autocomplete="list"
        aria-controls={isOpen ? list : undefined}
        aria-activedescendant={isOpen ? `${list}-${at}` : undefined}
        spellCheck={false}
        autoCapitalize="off"
        readOnly={isReadOnly}
        value={value}
        onKeyDown={onKey}
        onBlur={() => window.setTimeout(() => setOffered([]), 150)}
        onChange={(event) => change(event.currentTarget.value, event.currentTarget.selectionStart)}
      />
      {isOpen && (
        <div
          id={list}
          role="listbox"
          aria-label={t('editor.suggestions')}
          style={{ top: Math.min(row * 19.5 + 14, 300) - (box.current?.scrollTop ?? 0), left: 48 }}
        >
          {offered.map((one, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys (aria-activedescendant)
            <div
              key={one.text}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(one)}
            >
              <code>{one.text.trim()}</code> <span style={{ color: 'var(--muted)' }}>{one.hint}</span>
            </div>
          ))}
        </div>
      )}
      <div id={about} style={{ color: fault || lines.length > 0 ? 'var(--bad)' : 'var(--muted)', minHeight: 20 }}>
        {fault ??
          (lines.length > 0
            ? t('editor.lines', { lines: lines.join(', ') })
            : isReadOnly
              ? t('editor.readOnly')
              : t('editor.hint'))}
      </div>
    </div>
  )
}
