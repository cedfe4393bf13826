import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { namespacesQuery } from '../api/namespaces'
import { useRights } from '../api/session'
import { useNamespace } from './useNamespace'

/** Which namespace the page shows: in the URL, so that a link shows the same. */
export function NamespacePicker() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const namespace = useNamespace()
  const { maySomewhere } = useRights()
  const asked = useQuery({ ...namespacesQuery, enabled: maySomewhere('documents:read') })
  const names = new Set((asked.data ?? []).map((one) => one.name))
  if (namespace) names.add(namespace)
  return (
    <NativeSelect
      aria-label={t('shell.namespace')}
      value={namespace ?? ''}
      data={[{ value: '', label: t('shell.allNamespaces') }, ...[...names].sort()]}
      onChange={(event) => {
        const chosen = event.currentTarget.value
        void navigate({ to: '.', search: (now) => ({ ...now, namespace: chosen || undefined }) })
      }}
    />
  )
}
