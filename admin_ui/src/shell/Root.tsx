import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type ErrorComponentProps, Link, Outlet, useRouterState, useSearch } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Past, SignedIn, sessionQuery } from '../api/session'
import { Frozen } from '../kit/Needs'
import { Loading } from '../kit/Panel'
import { Problem, told } from '../kit/Problem'
import { Frame } from './Frame'

// Whoever is signed in does not load these.
const SignInPage = lazy(() => import('./SignInPage').then((one) => ({ default: one.SignInPage })))
const NewPasswordPage = lazy(() => import('./NewPasswordPage').then((one) => ({ default: one.NewPasswordPage })))

/** Asks who is signed in before anything else; nobody sees a page, or its address change, before that is known. */
export function Root() {
  const path = useRouterState({ select: (state) => state.location.pathname })
  const at = useSearch({ strict: false, select: (search) => search.at })
  const { t } = useTranslation()
  const asked = useQuery(sessionQuery)
  if (path === '/setup') return <Outlet />
  if (asked.data === undefined) {
    return (
      <main style={{ maxWidth: 640, margin: '64px auto', padding: 16 }}>
        {asked.error ? (
          <Problem problem={told(asked.error)} retry={() => void asked.refetch()} />
        ) : (
          <Loading height={80} />
        )}
      </main>
    )
  }
  if (asked.data === null || asked.data.session.user?.must_change) {
    return (
      <Suspense fallback={<Loading height={80} />}>
        {asked.data === null ? <SignInPage /> : <NewPasswordPage />}
      </Suspense>
    )
  }
  const frozen = asked.data.session.read_only ? t('banner.readOnly') : at === undefined ? '' : t('states.past')
  return (
    <SignedIn value={asked.data.session}>
      <Past value={at !== undefined}>
        <Frozen value={frozen}>
          <Frame revision={asked.data.revision}>
            <Outlet />
          </Frame>
        </Frozen>
      </Past>
    </SignedIn>
  )
}

export function NotFound() {
  const { t } = useTranslation()
  return (
    <>
      <h1>{t('shell.notFound')}</h1>
      <p>
        <Link to="/">{t('nav.overview')}</Link>
      </p>
    </>
  )
}

/** A page that failed as a whole: the frame stays, and so do the other pages. */
export function Fault({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation()
  return (
    <>
      <Problem problem={told(error)} retry={reset} />
      <Button mt="md" variant="default" onClick={() => window.location.reload()}>
        {t('shell.reload')}
      </Button>
    </>
  )
}
