import { Button, TextInput } from '@mantine/core'
import { type FormEvent, useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { completions } from './terms'

/** What calls must have to be shown: taken over by Enter, so that half a word is no filter. */
export function FilterBar({ filter, take }: { filter: string; take: (filter: string) => void }) {
  const { t } = useTranslation()
  const [text, setText] = useState(filter)
  const list = useId()
  useEffect(() => setText(filter), [filter])
  function onSubmit(event: FormEvent) {
    event.preventDefault()
    take(text.trim())
  }
  return (
    <form onSubmit={onSubmit} style={{ display: 'flex', flexWrap: 'wrap', gap: 8, flex: '1 1 320px' }}>
      <TextInput
        data-filter
        type="search"
        list={list}
        autoComplete="off"
        spellCheck={false}
        aria-label={t('requests.filter')}
        placeholder="service:reviews status>=500 latency>300ms"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        style={{ flex: 1, minWidth: 200 }}
      />
      <datalist id={list}>
        {completions(text).map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <Button type="submit" variant="default">
        {t('requests.apply')}
      </Button>
      {filter && (
        <Button variant="default" onClick={() => take('')}>
          {t('kit.clearFilter')}
        </Button>
      )}
    </form>
  )
}
