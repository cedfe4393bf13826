import { type QueryClient, queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { keys } from './keys'

/** What a person has chosen for the console, wherever they sign in. */
export type Preferences = {
  language?: string
  theme?: 'light' | 'dark' | 'auto'
  density?: 'compact' | 'normal' | 'comfortable'
  single_keys?: boolean
}

/** Only people who signed in have some; whoever is trusted for the machine keeps theirs in the browser. */
export const preferencesQuery = queryOptions({
  queryKey: keys.preferences,
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async () => (await take(api.GET('/v1/session/preferences'))) as Preferences,
})

/** What else is kept there stays. Throws ApiProblem. */
export async function keepPreferences(client: QueryClient, change: Preferences) {
  const next = { ...(await client.fetchQuery(preferencesQuery)), ...change }
  client.setQueryData(keys.preferences, next)
  await take(api.PUT('/v1/session/preferences', { body: next as Record<string, never> }))
}
