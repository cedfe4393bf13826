import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { keys } from './keys'

export const namespacesQuery = queryOptions({
  queryKey: keys.namespaces,
  queryFn: async () => (await take(api.GET('/v1/namespaces'))).items,
})
