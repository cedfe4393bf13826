import { useTranslation } from 'react-i18next'

/** By namespace, `*` = in all of them. */
export function RightsList({ principal, rights }: { principal: string; rights: Record<string, readonly string[]> }) {
  const { t } = useTranslation()
  const places = Object.entries(rights)
  return (
    <>
      <h2>{principal}</h2>
      {places.length === 0 && <p>{t('settings.noRights')}</p>}
      <dl>
        {places.map(([namespace, held]) => (
          <div key={namespace}>
            <dt style={{ fontWeight: 600 }}>{namespace === '*' ? t('shell.allNamespaces') : namespace}</dt>
            <dd style={{ margin: '0 0 8px' }}>
              <code>{held.join(' ')}</code>
            </dd>
          </div>
        ))}
      </dl>
    </>
  )
}
