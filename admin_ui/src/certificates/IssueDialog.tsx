import { Button, Group, Modal, NativeSelect, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { enrol } from '../api/identity'
import { CopyCommand } from '../kit/CopyCommand'
import { Problem, told } from '../kit/Problem'

/** A one-time token by which a service or a gateway gets its first certificate: keys never leave their owner. */
export function IssueDialog({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const { t } = useTranslation()
  const [kind, setKind] = useState<'service' | 'gateway'>('service')
  const [name, setName] = useState('')
  const issue = useMutation({ mutationFn: () => enrol(kind === 'gateway' ? `gateway/${name}` : name) })
  const { reset } = issue
  useEffect(() => {
    if (isOpen) {
      setName('')
      reset()
    }
  }, [isOpen, reset])
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={t('certificates.issue')}
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
      {issue.data ? (
        <>
          <p style={{ marginTop: 0 }}>{t('certificates.tokenOnce', { subject: issue.data.subject })}</p>
          <CopyCommand text={issue.data.token} label={t('tokens.token')} />
          <Group justify="flex-end" mt="md">
            <Button onClick={close}>{t('tokens.kept')}</Button>
          </Group>
        </>
      ) : (
        <form
          style={{ display: 'grid', gap: 12 }}
          onSubmit={(event) => {
            event.preventDefault()
            issue.mutate()
          }}
        >
          <p style={{ margin: 0 }}>{t('certificates.issueAbout')}</p>
          <NativeSelect
            label={t('certificates.subject')}
            data={[
              { value: 'service', label: t('shell.service') },
              { value: 'gateway', label: t('certificates.gateway') },
            ]}
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value as 'service' | 'gateway')}
          />
          <TextInput
            label={t('services.name')}
            description={t(kind === 'gateway' ? 'certificates.hostHint' : 'certificates.serviceHint')}
            required
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value.trim())}
          />
          {issue.error && <Problem problem={told(issue.error)} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('kit.cancel')}
            </Button>
            <Button type="submit" loading={issue.isPending}>
              {t('certificates.makeToken')}
            </Button>
          </Group>
        </form>
      )}
    </Modal>
  )
}
