import { Button } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { ago, clock, utc } from '../i18n/format'
import { useNow } from '../kit/Since'

const CLOCK_MS = 1_000

/** Says on every page that a moment of the past is looked at, why nothing can be done there, and the way back. */
export function PastBar() {
  const at = useSearch({ strict: false, select: (search) => search.at })
  return at === undefined ? null : <Bar at_ms={at * 1000} />
}

function Bar({ at_ms }: { at_ms: number }) {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const now = useNow(CLOCK_MS)
  return (
    <div role="status" className="past">
      <span aria-hidden="true">▲</span>
      <span title={utc(at_ms)}>
        {t('time.past', { moment: clock(at_ms, i18n.language), ago: ago(at_ms - now, i18n.language) })}{' '}
        {t('states.past')}
      </span>
      <Button
        variant="default"
        size="compact-xs"
        onClick={() => void navigate({ to: '.', search: (search) => ({ ...search, at: undefined }) })}
      >
        {t('time.live')}
      </Button>
    </div>
  )
}
