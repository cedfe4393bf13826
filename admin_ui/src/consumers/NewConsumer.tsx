import { Button, Group, Modal, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Document, put } from '../api/documents'
import { keys } from '../api/keys'
import { Problem, told } from '../kit/Problem'

/** Makes a Consumer without credentials, and opens its page, where it is given keys. */
export function NewConsumer({ namespace, isOpen, close }: { namespace: string; isOpen: boolean; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [name, setName] = useState('')
  const [where, setWhere] = useState(namespace)
  const make = useMutation({
    mutationFn: () => {
      const metadata = { name, namespace: where }
      return put({ apiVersion: 'meshway/v1', kind: 'Consumer', metadata, spec: {} } as unknown as Document, '')
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.documents('Consumer') })
      close()
      await navigate({ to: '/consumers/$namespace/$consumer', params: { namespace: where, consumer: name } })
    },
  })
  const { reset } = make
  useEffect(() => {
    if (isOpen) {
      setName('')
      setWhere(namespace)
      reset()
    }
  }, [isOpen, namespace, reset])
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={t('consumers.new')}
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
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
        <TextInput
          label={t('shell.namespace')}
          description={t('consumers.whereHint')}
          required
          value={where}
          onChange={(event) => setWhere(event.currentTarget.value.trim())}
        />
        {make.error && <Problem problem={told(make.error)} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('kit.cancel')}
          </Button>
          <Button type="submit" loading={make.isPending}>
            {t('consumers.make')}
          </Button>
        </Group>
      </form>
    </Modal>
  )
}
