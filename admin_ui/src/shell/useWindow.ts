import { useSearch } from '@tanstack/react-router'
import { DEFAULT_WINDOW_S } from '../api/insight'

/** The span that the page looks at, seconds, ending now. */
export function useWindow(): number {
  return useSearch({ strict: false, select: (search) => search.window_s }) ?? DEFAULT_WINDOW_S
}
