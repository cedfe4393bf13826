import { useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { Span } from '../api/insight'

export const WINDOW_S = 900

/** The window and the moment that the page's numbers are of, from the URL. */
export function useSpan(): Span {
  const at = useSearch({ strict: false, select: (search) => search.at })
  const window_s = useSearch({ strict: false, select: (search) => search.window_s }) ?? WINDOW_S
  return useMemo(() => ({ at, window_s }), [at, window_s])
}
