import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useSession } from '../api/session'
import { placesFor } from './navigation'

const TOGETHER_MS = 1_000
const KEPT = 'meshway-shortcuts'

/** Single keys can be switched off (WCAG 2.1.4). */
export function areSingleKeysOn(): boolean {
  return localStorage.getItem(KEPT) !== 'off'
}

export function setSingleKeys(isOn: boolean) {
  localStorage.setItem(KEPT, isOn ? 'on' : 'off')
}

/** Ctrl K opens the palette; `/` goes to the filter; `g` and a page's letter go to that page. */
export function useShortcuts({ openPalette }: { openPalette: () => void }) {
  const navigate = useNavigate()
  const session = useSession()
  const pressedG = useRef(0)
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault()
        openPalette()
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !areSingleKeysOn()) return
      if (event.key === '/') {
        const filter = document.querySelector<HTMLInputElement>('main [data-filter]')
        if (filter !== null) {
          event.preventDefault()
          filter.focus()
        }
        return
      }
      if (Date.now() - pressedG.current < TOGETHER_MS) {
        const place = placesFor(session).find(({ letter }) => letter === event.key)
        pressedG.current = 0
        if (place) {
          event.preventDefault()
          void navigate({ to: place.to, params: { kind: 'TrafficPolicy' } })
        }
        return
      }
      pressedG.current = event.key === 'g' ? Date.now() : 0
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [navigate, session, openPalette])
}

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  )
}
