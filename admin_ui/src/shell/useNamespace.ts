import { useSearch } from '@tanstack/react-router'

/** The namespace the page shows; undefined: all that may be read. */
export function useNamespace(): string | undefined {
  return useSearch({ strict: false, select: (search) => search.namespace })
}
