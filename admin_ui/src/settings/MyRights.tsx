import { useTranslation } from 'react-i18next'
import { useRights } from '../api/session'
import { RightsList } from './RightsList'
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
