import {
  IconAffiliate,
  IconArrowsSplit,
  IconBell,
  IconCertificate,
  IconFileText,
  IconGauge,
  IconHistory,
  IconListCheck,
  IconListSearch,
  IconRoute,
  IconServer,
  IconSettings,
  IconStairsUp,
  IconStethoscope,
  IconUserCode,
} from '@tabler/icons-react'
import type { Session } from '../api/session'
import { holds, holdsSomewhere } from '../api/session'

/** The pages of the navigation, in order. right: without it, anywhere, the page is not offered. */
export const PLACES = [
  { to: '/', key: 'overview', letter: 'o', icon: IconGauge, right: '' },
  { to: '/map', key: 'map', letter: 'm', icon: IconAffiliate, right: 'insight:read' },
  { to: '/services', key: 'services', letter: 's', icon: IconServer, right: 'instances:read' },
  { to: '/requests', key: 'requests', letter: 'q', icon: IconListSearch, right: 'metrics:read' },
  { to: '/alerts', key: 'alerts', letter: 'n', icon: IconBell, right: 'alerts:read' },
  { to: '/changes', key: 'changes', letter: 'c', icon: IconHistory, right: 'documents:read' },
  { to: '/routes', key: 'routes', letter: 'r', icon: IconRoute, right: 'documents:read' },
  { to: '/rollouts', key: 'rollouts', letter: 't', icon: IconStairsUp, right: 'documents:read' },
  { to: '/policies/$kind', key: 'policies', letter: 'p', icon: IconListCheck, right: 'documents:read' },
  { to: '/explain', key: 'explain', letter: 'e', icon: IconStethoscope, right: 'calls:explain' },
  { to: '/gateways', key: 'gateways', letter: 'g', icon: IconArrowsSplit, right: 'gateways:read' },
  { to: '/consumers', key: 'consumers', letter: 'u', icon: IconUserCode, right: 'documents:read' },
  { to: '/certificates', key: 'certificates', letter: 'k', icon: IconCertificate, right: 'identity:read' },
  { to: '/audit', key: 'audit', letter: 'a', icon: IconFileText, right: 'audit:read' },
  { to: '/settings', key: 'settings', letter: ',', icon: IconSettings, right: '' },
] as const

// Of the whole mesh: holding them in one namespace shows nothing.
const OF_THE_MESH = new Set(['gateways:read', 'audit:read', 'calls:explain', 'identity:read'])

export function placesFor(session: Session) {
  return PLACES.filter(
    ({ right }) =>
      right === '' || (OF_THE_MESH.has(right) ? holds(session, right, '*') : holdsSomewhere(session, right)),
  )
}
