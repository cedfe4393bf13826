import { Skeleton } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem, told } from './Problem'

const HOLD_BACK_MS = 150

/** What a query tells of itself; TanStack Query's results have all of it. */
export type Asked<T> = { data: T | undefined; error: unknown; refetch: () => unknown }

/**
 * One read and its states: nothing for 150 ms, then a skeleton of the final height; the values, which stay when a later
 * read fails; or the problem with a way to try again.
 */
export function Panel<T>({
  asked,
  height = 160,
  children,
}: {
  asked: Asked<T>
  height?: number
  children: (data: T) => ReactNode
}) {
  if (asked.data !== undefined) {
    return (
      <>
        {asked.error !== null && asked.error !== undefined && <Outdated />}
        {children(asked.data)}
      </>
    )
  }
  if (asked.error) return <Problem problem={told(asked.error)} retry={() => void asked.refetch()} />
  return <Loading height={height} />
}

export function Loading({ height }: { height: number }) {
  const { t } = useTranslation()
  const [isSlow, setSlow] = useState(false)
  useEffect(() => {
    const timer = window.setTimeout(() => setSlow(true), HOLD_BACK_MS)
    return () => window.clearTimeout(timer)
  }, [])
  return (
    <div style={{ minHeight: height }} aria-busy="true">
      {isSlow && (
        <>
          <span role="status" style={{ position: 'absolute', left: -9999 }}>
            {t('states.loading')}
          </span>
          <Skeleton height={height} radius={6} />
        </>
      )}
    </div>
  )
}

function Outdated() {
  const { t } = useTranslation()
  return (
    <div role="status" style={{ color: 'var(--warn)', marginBottom: 8 }}>
      ▲ {t('states.outdated')}
    </div>
  )
}
