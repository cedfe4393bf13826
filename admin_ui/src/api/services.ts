import { queryOptions } from '@tanstack/react-query'
import { api, everyPage, type Schemas, take } from './client'
import { keys } from './keys'

export type Service = Schemas['ListedService']
export type Instance = Schemas['Listed']

const EVERY = '-'
const PAGE = 1000

/** Of a namespace, or of all that may be read. The stream of revisions makes it stale, nothing polls. */
export const servicesQuery = (namespace: string | undefined) =>
  queryOptions({
    queryKey: keys.services(namespace ?? EVERY),
    queryFn: () =>
      everyPage((cursor) =>
        take(
          api.GET('/v1/namespaces/{namespace}/services', {
            params: { path: { namespace: namespace ?? EVERY }, query: { limit: PAGE, cursor } },
          }),
        ),
      ),
  })

/** Renewals of leases are no revisions, so what is left of them is asked for every ten seconds while shown. */
export const instancesQuery = (namespace: string, service: string) =>
  queryOptions({
    queryKey: keys.instances(namespace, service),
    refetchInterval: 10_000,
    queryFn: () =>
      everyPage((cursor) =>
        take(
          api.GET('/v1/namespaces/{namespace}/services/{service}/instances', {
            params: { path: { namespace, service }, query: { limit: PAGE, cursor } },
          }),
        ),
      ),
  })

type Place = { namespace: string; service: string; id: string }

export function patchInstance(path: Place, body: Schemas['InstancePatch']) {
  return take(api.PATCH('/v1/namespaces/{namespace}/services/{service}/instances/{id}', { params: { path }, body }))
}

export function deregister(path: Place) {
  return take(api.DELETE('/v1/namespaces/{namespace}/services/{service}/instances/{id}', { params: { path } }))
}
