import { useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { deregister, type Instance } from '../api/services'
import { Confirm } from '../kit/Confirm'

/** A process that lives comes back at its next heartbeat, which is said before. */
export function DeregisterDialog({ instance, close }: { instance: Instance | null; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()

  async function act() {
    if (instance === null) return
    const { namespace, service, id } = instance
    await deregister({ namespace, service, id })
    await client.invalidateQueries({ queryKey: keys.instances(namespace, service) })
    await client.invalidateQueries({ queryKey: ['services'] })
  }

  return (
    <Confirm
      title={t('instances.deregister')}
      action={t('instances.deregister')}
      name={instance?.status === 'passing' ? instance.id : undefined}
      isOpen={instance !== null}
      close={close}
      act={act}
    >
      {t('instances.deregisterEffect', { id: instance?.id ?? '' })}
      {instance?.status === 'passing' && <p>{t('instances.deregisterAlive')}</p>}
    </Confirm>
  )
}
