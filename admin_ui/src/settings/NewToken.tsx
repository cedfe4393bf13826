import { Button, Group, Modal, NativeSelect, NumberInput, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, take } from '../api/client'
import { keys } from '../api/keys'
import { OF_THE_MESH, ROLES, type Role } from '../api/people'
import { CopyCommand } from '../kit/CopyCommand'
import { Problem, told } from '../kit/Problem'

// Gateways sign in by tokens, people do not hold their role.
const OF_TOKENS: readonly Role[] = [...ROLES, 'gateway']
const DAYS = 90
const DAY_S = 86_400

/** Makes a token and shows it, this once. */
export function NewToken({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const [namespace, setNamespace] = useState('default')
  const [days, setDays] = useState(DAYS)
  const make = useMutation({
    mutationFn: () =>
      take(
        api.POST('/v1/tokens', {
          body: {
            name,
            grants: [{ role, namespace: OF_THE_MESH.includes(role) ? '*' : namespace }],
            expires_in_s: days * DAY_S,
          },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.tokens }),
  })
  const { reset } = make
  useEffect(() => {
    if (isOpen) {
      setName('')
      reset()
    }
  }, [isOpen, reset])

  function submit(event: FormEvent) {
    event.preventDefault()
    make.mutate()
  }

  return (
    <Modal opened={isOpen} onClose={close} title={t('tokens.new')} closeButtonProps={{ 'aria-label': t('kit.close') }}>
      {make.data ? (
        <>
          <p style={{ marginTop: 0 }}>{t('tokens.once')}</p>
          <CopyCommand text={make.data.token} label={t('tokens.token')} />
          <Group justify="flex-end" mt="md">
            <Button onClick={close}>{t('tokens.kept')}</Button>
          </Group>
        </>
      ) : (
        <form onSubmit={submit} style={{ display: 'grid', gap: 12 }}>
          <TextInput
            label={t('services.name')}
            required
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value.trim())}
          />
          <NativeSelect
            label={t('tokens.role')}
            data={[...OF_TOKENS]}
            value={role}
            onChange={(event) => setRole(event.currentTarget.value as Role)}
          />
          {!OF_THE_MESH.includes(role) && (
            <TextInput
              label={t('tokens.where')}
              description={t('tokens.whereHint')}
              required
              value={namespace}
              onChange={(event) => setNamespace(event.currentTarget.value.trim())}
            />
          )}
          <NumberInput
            label={t('tokens.days')}
            min={1}
            max={3660}
            value={days}
            onChange={(value) => setDays(Number(value))}
          />
          {make.error && <Problem problem={told(make.error)} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('kit.cancel')}
            </Button>
            <Button type="submit" loading={make.isPending}>
              {t('tokens.make')}
            </Button>
          </Group>
        </form>
      )}
    </Modal>
  )
}
