import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Gateway = Schemas['GatewayState']

/** What gateways report changes without a revision, so it is asked for again while somebody looks. */
export const gatewaysQuery = queryOptions({
  queryKey: keys.gateways,
  refetchInterval: 10_000,
  queryFn: async () => (await take(api.GET('/v1/gateways'))).items,
})
