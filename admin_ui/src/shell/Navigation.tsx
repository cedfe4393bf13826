import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'
import { placesFor } from './navigation'

export function Navigation() {
  const { t } = useTranslation()
  const session = useSession()
  return (
    <nav className="side" aria-label={t('shell.navigation')}>
      {placesFor(session).map(({ to, key, icon: Icon }) => (
        <Link
          key={key}
          to={to}
          params={{ kind: 'TrafficPolicy' }}
          activeOptions={{ exact: to === '/', includeSearch: false }}
        >
          <Icon size={16} stroke={1.6} aria-hidden="true" />
          <span>{t(`nav.${key}`)}</span>
        </Link>
      ))}
    </nav>
  )
}
