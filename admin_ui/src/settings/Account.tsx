import { Button, Group, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'
import { dropTotp, offerTotp, takeTotp } from '../api/signing'
import { CopyCommand } from '../kit/CopyCommand'
import { Problem, told } from '../kit/Problem'
import { PasswordForm } from '../shell/PasswordForm'

/** One's own password and authenticator. */
export function Account() {
  const { t } = useTranslation()
  const { user } = useSession()
  return (
    <div style={{ display: 'grid', gap: 16 }}>
      <section className="panel">
        <h2>{t('password.title')}</h2>
        <PasswordForm done={() => {}} />
      </section>
      <section className="panel">
        <h2>{t('totp.title')}</h2>
        {user?.has_totp ? <Drop /> : <Enrol />}
      </section>
    </div>
  )
}

function Enrol() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [code, setCode] = useState('')
  const offer = useMutation({ mutationFn: offerTotp })
  const take = useMutation({ mutationFn: () => takeTotp(client, code) })
  if (!offer.data) {
    return (
      <>
        <p style={{ marginTop: 0 }}>{t('totp.about')}</p>
        {offer.error && <Problem problem={told(offer.error)} />}
        <Button loading={offer.isPending} onClick={() => offer.mutate()}>
          {t('totp.begin')}
        </Button>
      </>
    )
  }
  return (
    <form
      style={{ display: 'grid', gap: 12, maxWidth: 480 }}
      onSubmit={(event) => {
        event.preventDefault()
        take.mutate()
      }}
    >
      <p style={{ margin: 0 }}>{t('totp.secret')}</p>
      <CopyCommand text={offer.data.secret} label={t('totp.secretLabel')} />
      <a href={offer.data.uri}>{t('totp.open')}</a>
      <TextInput
        label={t('totp.code')}
        required
        inputMode="numeric"
        autoComplete="one-time-code"
        value={code}
        onChange={(event) => setCode(event.currentTarget.value.trim())}
      />
      {take.error && <Problem problem={told(take.error)} />}
      <Group>
        <Button type="submit" loading={take.isPending}>
          {t('totp.take')}
        </Button>
      </Group>
    </form>
  )
}

function Drop() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const drop = useMutation({ mutationFn: () => dropTotp(client) })
  return (
    <>
      <p style={{ marginTop: 0 }}>{t('totp.on')}</p>
      {drop.error && <Problem problem={told(drop.error)} />}
      <Button variant="default" loading={drop.isPending} onClick={() => drop.mutate()}>
        {t('totp.drop')}
      </Button>
    </>
  )
}
