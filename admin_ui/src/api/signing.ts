import { type QueryClient, queryOptions } from '@tanstack/react-query'
import { ApiProblem, api, take } from './client'
import { keys } from './keys'

/** Signs in: the answer sets the session's cookie. Throws ApiProblem. */
export async function signIn(client: QueryClient, name: string, password: string, totp: string) {
  await post('/v1/session', totp ? { name, password, totp } : { name, password })
  await client.resetQueries({ queryKey: keys.session })
}

/** The first admin, by the one-time text of the link that the registry printed. Throws ApiProblem. */
export async function setUp(token: string, name: string, password: string) {
  await post('/v1/session/setup', { token, name, password })
}

type Provider = { name: string; title: string; start: string }

/** OpenID providers where people may sign in. */
export const providersQuery = queryOptions({
  queryKey: keys.providers,
  staleTime: 300_000,
  queryFn: async () => ((await take(api.GET('/v1/session/oidc'))) as { items: Provider[] }).items,
})

/** Where a browser goes to sign in, and comes back to the page that is open. */
export function startOf(provider: Provider): string {
  const back = `${window.location.pathname}${window.location.search}`
  return `${provider.start}&back=${encodeURIComponent(back)}`
}

/** Who came by a provider goes there once more, to be signed out there too. */
export async function signOut(client: QueryClient) {
  const who = client.getQueryData<{ session: { principal: string } } | null>(keys.session)?.session.principal ?? ''
  await take((api.DELETE as unknown as (path: string) => Promise<{ response: Response }>)('/v1/session'))
  client.clear()
  const [how, provider = ''] = who.split(':')
  if (how === 'sso') {
    window.location.assign(`/v1/session/oidc/end?provider=${encodeURIComponent(provider)}`)
    return
  }
  await client.resetQueries({ queryKey: keys.session })
}

async function post(path: string, body: unknown) {
  let response: Response
  try {
    response = await fetch(path, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  } catch {
    throw new ApiProblem(0, 'unreachable', 'The registry does not answer')
  }
  if (response.ok) return
  const told = (await response.json().catch(() => ({}))) as Record<string, string>
  throw new ApiProblem(
    response.status,
    told.code ?? 'http_error',
    told.title ?? `HTTP ${response.status}`,
    told.detail,
    told.mend,
    told.instance,
  )
}
