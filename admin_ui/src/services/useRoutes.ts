import { useQueries } from '@tanstack/react-query'
import { ROUTE_KINDS } from '../api/concerning'
import { documentsQuery } from '../api/documents'
import { useRights } from '../api/session'

/** Routes of calls, of connections and of datagrams, of whichever namespace. */
export function useRoutes(namespace: string) {
  const { may } = useRights()
  return useQueries({
    queries: ROUTE_KINDS.map((kind) => ({ ...documentsQuery(kind), enabled: may('documents:read', namespace) })),
    combine: (results) => ({
      data: results.every((one) => one.data) ? results.flatMap((one) => one.data ?? []) : undefined,
      error: results.find((one) => one.error)?.error ?? null,
      refetch: () => Promise.all(results.map((one) => one.refetch())),
    }),
  })
}
