import { queryOptions } from '@tanstack/react-query'

/** A JSON schema, as far as completion reads it. */
export type Schema = {
  $ref?: string
  type?: string | string[]
  description?: string
  enum?: unknown[]
  properties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
  additionalProperties?: Schema | boolean
}
export type Openapi = { components: { schemas: Record<string, Schema> } }

/** The registry's own description: what may be written where, for completion. */
export const openapiQuery = queryOptions({
  queryKey: ['openapi'],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async (): Promise<Openapi> => (await fetch('/openapi.json', { credentials: 'same-origin' })).json(),
})
