import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { setUp, signIn } from '../api/signing'
import { Problem, told } from '../kit/Problem'
import { Chooser } from './Chooser'

/**
 * The first admin chooses a name and a password. The one-time text stands behind `#`, which no browser sends to any
 * server or proxy; it leaves the address bar at once.
 */
export function SetupPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [token] = useState(() => {
    const text = decodeURIComponent(window.location.hash.slice(1))
    if (text) window.history.replaceState(null, '', '/setup')
    return text
  })
  const [name, setName] = useState('admin')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const differs = again !== '' && again !== password

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (password !== again) return
    setBusy(true)
    setError(null)
    try {
      const named = await setUp(token, name.trim(), password)
      await signIn(client, named, password, '')
      window.location.assign('/')
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <main style={{ maxWidth: 400, margin: '64px auto', padding: 16 }}>
      <h1 style={{ fontSize: 20 }}>{t('setup.title')}</h1>
      {token === '' ? (
        <p role="alert">{t('setup.noToken')}</p>
      ) : (
        <form onSubmit={(event) => void submit(event)} style={{ display: 'grid', gap: 12 }}>
          <p style={{ margin: 0 }}>{t('setup.about')}</p>
          <TextInput
            label={t('signIn.name')}
            autoComplete="username"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label={t('setup.password')}
            autoComplete="new-password"
            required
            value={password}
            visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <PasswordInput
            label={t('setup.again')}
            autoComplete="new-password"
            required
            value={again}
            error={differs ? t('setup.differs') : undefined}
            visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
            onChange={(event) => setAgain(event.currentTarget.value)}
          />
          {error !== null && <Problem problem={told(error)} />}
          <Button type="submit" size="sm" loading={isBusy} disabled={differs}>
            {t('setup.action')}
          </Button>
        </form>
      )}
      <Chooser />
    </main>
  )
}
