import { Button, Group, Modal, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { makeUser } from '../api/people'
import { Problem, told } from '../kit/Problem'
import type { Link } from './LinkDialog'

type Props = { isOpen: boolean; close: () => void; made: (link: Link) => void }

export function NewUser({ isOpen, close, made }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [shown, setShown] = useState('')
  const make = useMutation({
    mutationFn: () => makeUser(name, shown),
    onSuccess: async (user) => {
      await client.invalidateQueries({ queryKey: keys.users })
      made({ name, path: user.link?.path ?? '' })
    },
  })
  const { reset } = make
  useEffect(() => {
    if (isOpen) {
      setName('')
      setShown('')
      reset()
    }
  }, [isOpen, reset])
  return (
    <Modal opened={isOpen} onClose={close} title={t('users.new')} closeButtonProps={{ 'aria-label': t('kit.close') }}>
      <form
        style={{ display: 'grid', gap: 12 }}
        onSubmit={(event) => {
          event.preventDefault()
          make.mutate()
        }}
      >
        <TextInput
          label={t('services.name')}
          required
          data-autofocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value.trim())}
        />
        <TextInput label={t('users.shown')} value={shown} onChange={(event) => setShown(event.currentTarget.value)} />
        {make.error && <Problem problem={told(make.error)} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('kit.cancel')}
          </Button>
          <Button type="submit" loading={make.isPending}>
            {t('users.make')}
          </Button>
        </Group>
      </form>
    </Modal>
  )
}
