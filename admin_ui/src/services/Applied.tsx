import { useTranslation } from 'react-i18next'
import type { Gateway } from '../api/gateways'
import type { Instance } from '../api/services'
import { Status } from '../kit/Status'

/** How many live gateways run what was asked, and whether any of them keeps calls away from the instance. */
export function Applied({ instance, gateways }: { instance: Instance; gateways: readonly Gateway[] }) {
  const { t } = useTranslation()
  const live = gateways.filter((one) => one.live)
  if (live.length === 0) return <Status health="unknown">{t('instances.noGateway')}</Status>
  const name = `${instance.namespace}/${instance.service}/${instance.id}`
  const ejected = live.filter((one) => one.ejected.includes(name)).map((one) => one.node)
  if (ejected.length > 0) return <Status health="bad">{t('instances.ejected', { nodes: ejected.join(', ') })}</Status>
  const failing = live.filter((one) => one.failing?.includes(name)).map((one) => one.node)
  if (failing.length > 0) return <Status health="warn">{t('instances.failing', { nodes: failing.join(', ') })}</Status>
  const there = live.filter((one) => one.revision >= instance.revision).length
  return (
    <Status health={there === live.length ? 'ok' : 'warn'}>
      {there}/{live.length}
    </Status>
  )
}
