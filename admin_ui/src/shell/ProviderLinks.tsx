import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { providersQuery, startOf } from '../api/signing'

/** Where people may sign in with their company's account; nothing where the registry knows no provider. */
export function ProviderLinks() {
  const { t } = useTranslation()
  const { data } = useQuery(providersQuery)
  if (!data || data.length === 0) return null
  return (
    <nav aria-label={t('signIn.providers')} style={{ display: 'grid', gap: 8, marginTop: 16 }}>
      {data.map((provider) => (
        <Button key={provider.name} component="a" variant="default" href={startOf(provider)}>
          {t('signIn.with', { provider: provider.title })}
        </Button>
      ))}
    </nav>
  )
}
