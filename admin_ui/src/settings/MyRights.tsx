import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'

/** The rights of whoever looks, by namespace. */
export function MyRights() {
  const { t } = useTranslation()
  const session = useSession()
  const places = Object.entries(session.rights)
  return (
    <section className="panel">
      <h2>{session.principal}</h2>
      {session.service && <p>{t('settings.service', { service: session.service })}</p>}
      {places.length === 0 && <p>{t('settings.noRights')}</p>}
      <dl>
        {places.map(([namespace, rights]) => (
          <div key={namespace}>
            <dt style={{ fontWeight: 600 }}>{namespace === '*' ? t('shell.allNamespaces') : namespace}</dt>
            <dd style={{ margin: '0 0 8px' }}>
              <code>{rights.join(' ')}</code>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
