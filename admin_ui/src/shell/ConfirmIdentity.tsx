import { Button, Group, Modal, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'
import { confirm, providersQuery, startOf } from '../api/signing'
import { Problem, told } from '../kit/Problem'

const ABOVE_OTHERS = 400

/** Asks who one is when an answer wants to know it again; then what was refused can be done once more. */
export function ConfirmIdentity({ close }: { close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { user } = useSession()
  const [password, setPassword] = useState('')
  const [totp, setTotp] = useState('')
  const ask = useMutation({ mutationFn: () => confirm(client, password, totp), onSuccess: close })
  return (
    <Modal
      opened
      onClose={close}
      title={t('confirm.title')}
      zIndex={ABOVE_OTHERS}
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
      {user ? (
        <form
          style={{ display: 'grid', gap: 12 }}
          onSubmit={(event) => {
            event.preventDefault()
            ask.mutate()
          }}
        >
          <p style={{ margin: 0 }}>{t('confirm.why')}</p>
          <PasswordInput
            label={t('signIn.password')}
            autoComplete="current-password"
            data-autofocus
            value={password}
            visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {user.has_totp && (
            <TextInput
              label={t('confirm.totp')}
              inputMode="numeric"
              autoComplete="one-time-code"
              value={totp}
              onChange={(event) => setTotp(event.currentTarget.value)}
            />
          )}
          {ask.error && <Problem problem={told(ask.error)} />}
          <Group justify="flex-end">
            <Button type="submit" loading={ask.isPending}>
              {t('confirm.action')}
            </Button>
          </Group>
        </form>
      ) : (
        <Elsewhere />
      )}
    </Modal>
  )
}

/** Who came by a provider is asked there again, and comes back to this page. */
function Elsewhere() {
  const { t } = useTranslation()
  const { principal } = useSession()
  const { data } = useQuery(providersQuery)
  const name = principal.split(':')[1]
  const provider = data?.find((one) => one.name === name)
  return (
    <>
      <p style={{ marginTop: 0 }}>{t('confirm.elsewhere')}</p>
      {provider && (
        <Button component="a" href={startOf(provider, { asksAgain: true })}>
          {t('confirm.at', { provider: provider.title })}
        </Button>
      )}
    </>
  )
}
