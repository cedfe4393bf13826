import { SegmentedControl } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { PageHead } from '../kit/PageHead'
import { useNamespace } from '../shell/useNamespace'
import { FilterBar } from './FilterBar'
import { Kept } from './Kept'
import { LiveCalls } from './LiveCalls'
import { withTerm } from './terms'

/** What happened to calls: those kept, or as they end. Filter and which of the two are in the URL. */
export function RequestsPage() {
  const { t } = useTranslation()
  const navigate = useNavigate({ from: '/requests' })
  const { filter = '', live = false } = useSearch({ from: '/requests' })
  const namespace = useNamespace()
  const asked = namespace ? withTerm(filter, 'namespace', namespace) : filter
  const take = (next: string) => void navigate({ search: (now) => ({ ...now, filter: next || undefined }) })
  const add = (field: string, value: string | number, isOut: boolean) => take(withTerm(filter, field, value, isOut))
  const command = `meshway ${live ? 'tap' : 'requests'} ${namespace ? `-n ${namespace}` : '-A'} ${quoted(filter)}`
  return (
    <>
      <PageHead title={t('nav.requests')} command={command.trim()} />
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, marginBottom: 12 }}>
        <FilterBar filter={filter} take={take} />
        <SegmentedControl
          size="xs"
          aria-label={t('requests.which')}
          value={live ? 'live' : 'kept'}
          data={[
            { value: 'kept', label: t('requests.keptOnes') },
            { value: 'live', label: t('requests.live') },
          ]}
          onChange={(which) => void navigate({ search: (now) => ({ ...now, live: which === 'live' || undefined }) })}
        />
      </div>
      {live ? <LiveCalls filter={asked} add={add} /> : <Kept filter={asked} add={add} />}
    </>
  )
}

/** Terms with `>` and `*` as a shell leaves them alone. */
function quoted(filter: string): string {
  return filter && `'${filter.replaceAll("'", `'"'"'`)}'`
}
