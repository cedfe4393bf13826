import { Button } from '@mantine/core'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { type TapState, useTap } from '../api/tap'
import { percent, perSecond } from '../i18n/format'
import type { Health } from '../kit/Status'
import { Status } from '../kit/Status'
import { areSingleKeysOn, isTyping } from '../shell/shortcuts'
import { CallTable } from './CallTable'

type Props = { filter: string; add: (field: string, value: string | number, isOut: boolean) => void }

const HEALTH: Record<TapState, Health> = {
  connecting: 'unknown',
  live: 'ok',
  paused: 'idle',
  hidden: 'idle',
  failed: 'warn',
}

/** Calls as they end, until it is paused. Key: `p`. */
export function LiveCalls({ filter, add }: Props) {
  const { t, i18n } = useTranslation()
  const { tapped, pause, resume } = useTap(filter)
  const isPaused = tapped.state === 'paused'
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (event.key !== 'p' || event.ctrlKey || event.metaKey || event.altKey) return
      if (isTyping(event.target) || !areSingleKeysOn()) return
      if (isPaused) resume()
      else pause()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [isPaused, pause, resume])
  return (
    <>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 12, alignItems: 'center', marginBottom: 8 }}>
        <Button variant="default" aria-keyshortcuts="p" onClick={isPaused ? resume : pause}>
          {isPaused ? t('requests.resume') : t('requests.pause')}
        </Button>
        <Status health={HEALTH[tapped.state]}>{t(`requests.tap.${tapped.state}`)}</Status>
        {isPaused && <span>{t('requests.waiting', { count: tapped.waiting })}</span>}
        <span style={{ color: 'var(--muted)' }}>
          {t('requests.showing', {
            share: percent(tapped.share, i18n.language),
            rate: perSecond(tapped.perSecond, i18n.language),
          })}
        </span>
      </div>
      {tapped.problem && (
        <p role="alert" style={{ color: 'var(--bad)' }}>
          ■ {tapped.problem}
        </p>
      )}
      {tapped.calls.length === 0 ? (
        <p className="panel">{filter ? t('requests.waitFits') : t('requests.wait')}</p>
      ) : (
        <CallTable label={t('requests.live')} rows={tapped.calls} add={add} />
      )}
    </>
  )
}
