import { Button, Group, Modal } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { CopyCommand } from '../kit/CopyCommand'

export type Link = { name: string; path: string }

/** The one-time link by which a person sets the password; it is shown this once. */
export function LinkDialog({ link, close }: { link: Link | null; close: () => void }) {
  const { t } = useTranslation()
  return (
    <Modal
      opened={link !== null}
      onClose={close}
      title={t('users.link', { name: link?.name ?? '' })}
      closeButtonProps={{ 'aria-label': t('kit.close') }}
    >
      <p style={{ marginTop: 0 }}>{t('users.linkAbout')}</p>
      <CopyCommand text={`${window.location.origin}${link?.path ?? ''}`} label={t('users.linkLabel')} />
      <Group justify="flex-end" mt="md">
        <Button onClick={close}>{t('tokens.kept')}</Button>
      </Group>
    </Modal>
  )
}
