import { Button, Group, Modal, NativeSelect, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { bind, OF_THE_MESH, ROLES, type Role } from '../api/people'
import { Problem, told } from '../kit/Problem'

type SubjectKind = 'user' | 'group'

export function NewBinding({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [kind, setKind] = useState<SubjectKind>('user')
  const [subject, setSubject] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const [namespace, setNamespace] = useState('default')
  const isOfTheMesh = OF_THE_MESH.includes(role)
  const give = useMutation({
    mutationFn: () => bind({ kind, subject, role, namespace: isOfTheMesh ? '*' : namespace }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.bindings })
      close()
    },
  })
  const { reset } = give
  useEffect(() => {
    if (isOpen) {
      setSubject('')
      reset()
    }
  }, [isOpen, reset])
  return (
    <Modal opened={isOpen} onClose={close} title={t('roles.new')} closeButtonProps={{ 'aria-label': t('kit.close') }}>
      <form
        style={{ display: 'grid', gap: 12 }}
        onSubmit={(event) => {
          event.preventDefault()
          give.mutate()
        }}
      >
        <NativeSelect
          label={t('policies.kind')}
          data={[
            { value: 'user', label: t('roles.user') },
            { value: 'group', label: t('roles.group') },
          ]}
          value={kind}
          onChange={(event) => setKind(event.currentTarget.value as SubjectKind)}
        />
        <TextInput
          label={t('roles.subject')}
          required
          data-autofocus
          value={subject}
          onChange={(event) => setSubject(event.currentTarget.value.trim())}
        />
        <NativeSelect
          label={t('tokens.role')}
          data={[...ROLES]}
          value={role}
          onChange={(event) => setRole(event.currentTarget.value as Role)}
        />
        {!isOfTheMesh && (
          <TextInput
            label={t('tokens.where')}
            description={t('tokens.whereHint')}
            required
            value={namespace}
            onChange={(event) => setNamespace(event.currentTarget.value.trim())}
          />
        )}
        {give.error && <Problem problem={told(give.error)} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('kit.cancel')}
          </Button>
          <Button type="submit" loading={give.isPending}>
            {t('roles.give')}
          </Button>
        </Group>
      </form>
    </Modal>
  )
}
