import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { signIn } from '../api/signing'
import { Problem, told } from '../kit/Problem'
import { Chooser } from './Chooser'
import { ProviderLinks } from './ProviderLinks'

/** Shown in place of any page until somebody is signed in; the address stays, so the page opens afterwards. */
export function SignInPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [totp, setTotp] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)

  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await signIn(client, name.trim(), password, totp.trim())
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <main style={{ maxWidth: 360, margin: '64px auto', padding: 16 }}>
      <h1 style={{ fontSize: 20 }}>{t('signIn.title')}</h1>
      <form onSubmit={(event) => void submit(event)} style={{ display: 'grid', gap: 12 }}>
        <TextInput
          label={t('signIn.name')}
          autoComplete="username"
          required
          autoFocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label={t('signIn.password')}
          autoComplete="current-password"
          required
          value={password}
          visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <TextInput
          label={t('signIn.totp')}
          description={t('signIn.totpHint')}
          autoComplete="one-time-code"
          inputMode="numeric"
          value={totp}
          onChange={(event) => setTotp(event.currentTarget.value)}
        />
        {error !== null && <Problem problem={told(error)} />}
        <Button type="submit" size="sm" loading={isBusy}>
          {t('signIn.action')}
        </Button>
      </form>
      <ProviderLinks />
      <Chooser />
    </main>
  )
}
