import { TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { beginAuthority } from '../api/identity'
import { keys } from '../api/keys'
import { Confirm } from '../kit/Confirm'

const USUAL = 'mesh.internal'

/** Makes the mesh's own authority; its trust domain can never be changed. */
export function BeginDialog({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [domain, setDomain] = useState(USUAL)
  return (
    <Confirm
      title={t('certificates.begin')}
      action={t('certificates.begin')}
      isOpen={isOpen}
      close={close}
      act={async () => {
        await beginAuthority(domain)
        await client.invalidateQueries({ queryKey: keys.identity })
      }}
    >
      <p style={{ marginTop: 0 }}>{t('certificates.beginAbout')}</p>
      <TextInput
        label={t('certificates.domain')}
        value={domain}
        onChange={(event) => setDomain(event.currentTarget.value.trim())}
      />
    </Confirm>
  )
}
