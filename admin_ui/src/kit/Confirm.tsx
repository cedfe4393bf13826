import { Button, Group, Modal, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem, told } from './Problem'

type Props = {
  title: string
  /** On the button: what is done, as a verb. */
  action: string
  /** What must be typed first, for what cannot be taken back. */
  name?: string
  isOpen: boolean
  close: () => void
  act: () => Promise<unknown>
  children: ReactNode
}

/** Asks before something that hurts. Stays open, with the reason, when it was refused. */
export function Confirm({ title, action, name, isOpen, close, act, children }: Props) {
  const { t } = useTranslation()
  const [typed, setTyped] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  useEffect(() => {
    if (isOpen) {
      setTyped('')
      setError(null)
    }
  }, [isOpen])

  async function go() {
    setBusy(true)
    try {
      await act()
      close()
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened={isOpen} onClose={close} title={title} closeButtonProps={{ 'aria-label': t('kit.close') }}>
      <div style={{ marginBottom: 12 }}>{children}</div>
      {name && (
        <TextInput
          label={t('kit.typeName', { name })}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
          mb="md"
        />
      )}
      {error !== null && <Problem problem={told(error)} />}
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={close}>
          {t('kit.cancel')}
        </Button>
        <Button disabled={name !== undefined && typed !== name} loading={isBusy} onClick={() => void go()}>
          {action}
        </Button>
      </Group>
    </Modal>
  )
}
