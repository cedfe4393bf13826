import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { whenConfirmNeeded } from '../api/client'
import { useSession } from '../api/session'
import { Account } from './Account'
import { Banners } from './Banners'
import { Freshness } from './Freshness'
import { LiveProvider } from './LiveProvider'
import { NamespacePicker } from './NamespacePicker'
import { Navigation } from './Navigation'
import { useShortcuts } from './shortcuts'
import { useKeptPreferences } from './usePreferences'

// Loaded when it is first opened: the entry stays within its budget.
const Palette = lazy(() => import('./Palette').then((module) => ({ default: module.Palette })))

const ConfirmIdentity = lazy(() => import('./ConfirmIdentity').then((one) => ({ default: one.ConfirmIdentity })))

/** Bar, navigation and page: what stays while pages come and go. revision: the head when the session was asked for. */
export function Frame({ revision, children }: { revision: number; children: ReactNode }) {
  const { t } = useTranslation()
  const { read_only } = useSession()
  useKeptPreferences()
  const [isPaletteOpen, setPaletteOpen] = useState(false)
  const [isAsked, setAsked] = useState(false)
  useEffect(() => {
    whenConfirmNeeded(() => setAsked(true))
    return () => whenConfirmNeeded(() => {})
  }, [])
  const page = useRef<HTMLElement>(null)
  useShortcuts({ openPalette: () => setPaletteOpen(true) })
  return (
    <LiveProvider revision={revision}>
      <button type="button" className="skip" onClick={() => page.current?.focus()}>
        {t('shell.skip')}
      </button>
      <div className="frame">
        <header className="bar">
          <Link to="/" style={{ fontWeight: 700, fontSize: 16, textDecoration: 'none', color: 'var(--text)' }}>
            Meshway
          </Link>
          <NamespacePicker />
          <Button variant="default" onClick={() => setPaletteOpen(true)} aria-keyshortcuts="Control+K">
            {t('shell.search')} <kbd style={{ marginInlineStart: 8, color: 'var(--muted)' }}>Ctrl K</kbd>
          </Button>
          <span style={{ flex: 1 }} />
          {read_only && <span className="badge">{t('states.readOnly')}</span>}
          <Freshness />
          <Account />
        </header>
        <Navigation />
        <main className="page" id="page" ref={page} tabIndex={-1} style={{ outline: 'none' }}>
          <Banners />
          {children}
        </main>
      </div>
      {isAsked && (
        <Suspense>
          <ConfirmIdentity close={() => setAsked(false)} />
        </Suspense>
      )}
      {isPaletteOpen && (
        <Suspense>
          <Palette isOpen close={() => setPaletteOpen(false)} />
        </Suspense>
      )}
    </LiveProvider>
  )
}
