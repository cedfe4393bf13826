import { useTranslation } from 'react-i18next'
import { useRights } from '../api/session'
import { RightsOf } from './RightsOf'

/** The rights of whoever looks, by namespace; and of others, for who may read them. */
export function MyRights() {
  const { t } = useTranslation()
  const { session, may } = useRights()
  return (
    <>
      <section className="panel">
        <RightsList principal={session.principal} rights={session.rights} />
        {session.service && <p>{t('settings.service', { service: session.service })}</p>}
      </section>
      {may('users:read', '*') && <RightsOf />}
    </>
  )
}

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
