import { Button, PasswordInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { changePassword } from '../api/signing'
import { Problem, told } from '../kit/Problem'

/** One's own password: the old one, and the new one twice. */
export function PasswordForm({ done }: { done: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [old, setOld] = useState('')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const change = useMutation({ mutationFn: () => changePassword(client, old, password), onSuccess: done })
  const differs = again !== '' && again !== password
  const show = { 'aria-label': t('signIn.show') }
  return (
    <form
      style={{ display: 'grid', gap: 12, maxWidth: 360 }}
      onSubmit={(event) => {
        event.preventDefault()
        if (password === again) change.mutate()
      }}
    >
      <PasswordInput
        label={t('password.old')}
        autoComplete="current-password"
        required
        value={old}
        visibilityToggleButtonProps={show}
        onChange={(event) => setOld(event.currentTarget.value)}
      />
      <PasswordInput
        label={t('setup.password')}
        autoComplete="new-password"
        required
        value={password}
        visibilityToggleButtonProps={show}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <PasswordInput
        label={t('setup.again')}
        autoComplete="new-password"
        required
        value={again}
        error={differs ? t('setup.differs') : undefined}
        visibilityToggleButtonProps={show}
        onChange={(event) => setAgain(event.currentTarget.value)}
      />
      {change.error && <Problem problem={told(change.error)} />}
      {change.isSuccess && <p role="status">{t('password.changed')}</p>}
      <Button type="submit" loading={change.isPending} disabled={differs}>
        {t('password.action')}
      </Button>
    </form>
  )
}
