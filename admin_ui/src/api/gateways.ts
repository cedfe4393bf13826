import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type Gateway = Schemas['GatewayState']

/** What gateways report comes by the live stream. */
export const gatewaysQuery = queryOptions({
  queryKey: keys.gateways,
  queryFn: async () => (await take(api.GET('/v1/gateways'))).items,
})
