import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { MapNode } from '../api/insight'
import { percent } from '../i18n/format'

type Branching = NonNullable<MapNode['branchings']>[number]

/** Which Routes part calls, what share each way gets, and the way to the Route that says so. */
export function Branchings({ branchings }: { branchings: readonly Branching[] }) {
  const { t, i18n } = useTranslation()
  const told = (ways: readonly { service: string; subset?: string; share: number }[] = []) =>
    ways.map((one) => `${one.subset || one.service} ${percent(one.share, i18n.language)}`).join(', ')
  return (
    <ul>
      {branchings.map((one) => {
        const [namespace = '', name = ''] = one.route.split('/')
        return (
          <li key={`${one.route} ${one.rule}`}>
            <Link to="/policies/$kind/$namespace/$name" params={{ kind: 'Route', namespace, name }}>
              {one.route}
            </Link>{' '}
            {(one.split ?? []).length > 0 && t('map.splitTo', { ways: told(one.split) })}{' '}
            {(one.mirror ?? []).length > 0 && t('map.mirrorTo', { ways: told(one.mirror) })}
          </li>
        )
      })}
    </ul>
  )
}
