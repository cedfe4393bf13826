import { Button, NativeSelect } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { duration } from '../i18n/format'
import { areSingleKeysOn, isTyping } from './shortcuts'
import { useSpan, WINDOW_S } from './useSpan'

const WINDOWS_S = [300, 900, 3_600, 6 * 3_600, 86_400, 7 * 86_400]

/** How much time a page's numbers are of, and until when: both in the URL. Keys: `[` earlier, `]` later. */
export function TimeBar() {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const { at, window_s } = useSpan()
  const look = useCallback(
    (next: { at?: number; window_s?: number }) => void navigate({ to: '.', search: (now) => ({ ...now, ...next }) }),
    [navigate],
  )
  const step = useCallback(
    (windows: number) => {
      const now_s = Math.floor(Date.now() / 1000)
      const next = (at ?? now_s) + windows * window_s
      // Time has gone on since the step back: what comes near the present means the present.
      look({ at: next > now_s - window_s / 2 ? undefined : next })
    },
    [at, window_s, look],
  )
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !areSingleKeysOn()) return
      if (event.key === '[') step(-1)
      if (event.key === ']') step(1)
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [step])
  const windows = WINDOWS_S.includes(window_s) ? WINDOWS_S : [...WINDOWS_S, window_s].sort((a, b) => a - b)
  return (
    <div style={{ marginBottom: 16 }}>
      <fieldset className="time-bar" aria-label={t('time.title')}>
        <NativeSelect
          aria-label={t('time.window')}
          value={String(window_s)}
          data={windows.map((one) => ({ value: String(one), label: duration(one, i18n.language) }))}
          onChange={(event) => {
            const chosen = Number(event.currentTarget.value)
            look({ window_s: chosen === WINDOW_S ? undefined : chosen })
          }}
        />
        <Button variant="default" aria-label={t('time.earlier')} aria-keyshortcuts="[" onClick={() => step(-1)}>
          ◂
        </Button>
        <Button
          variant="default"
          aria-label={t('time.later')}
          aria-keyshortcuts="]"
          disabled={at === undefined}
          onClick={() => step(1)}
        >
          ▸
        </Button>
        {at === undefined && <span style={{ color: 'var(--muted)' }}>{t('time.untilNow')}</span>}
      </fieldset>
    </div>
  )
}
