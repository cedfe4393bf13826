import { type QueryClient, queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

/** OpenID providers where people may sign in. */
export const providersQuery = queryOptions({
  queryKey: keys.providers,
  staleTime: 300_000,
  queryFn: async () => (await take(api.GET('/v1/session/oidc'))).items,
})

/** Where a browser goes to sign in, and comes back to the page that is open. */
export function startOf(provider: Schemas['Offered'], { asksAgain = false } = {}): string {
  const back = `${window.location.pathname}${window.location.search}`
  return `${provider.start}&back=${encodeURIComponent(back)}${asksAgain ? '&confirm=true' : ''}`
}

/** Signs in: the answer sets the session's cookie, which no script can read. Throws ApiProblem. */
export async function signIn(client: QueryClient, name: string, password: string, totp: string) {
  await take(api.POST('/v1/session', { body: totp ? { name, password, totp } : { name, password } }))
  await begin(client)
}

/** Sets a password by a one-time link; of the first link the first admin's. Answers the name. Throws ApiProblem. */
export async function setUp(token: string, name: string, password: string): Promise<string> {
  return (await take(api.POST('/v1/session/setup', { body: { token, name, password } }))).name
}

/**
 * The page is loaded anew, so that nothing of what was read stays in memory. Who came by a provider goes there, to be
 * signed out there too.
 */
export async function signOut(principal: string) {
  await take(api.DELETE('/v1/session'))
  const [how, provider = ''] = principal.split(':')
  if (how === 'sso') window.location.assign(`/v1/session/oidc/end?provider=${encodeURIComponent(provider)}`)
  else window.location.reload()
}

/** Says again who one is, for what a session that was left open must not be enough for. Throws ApiProblem. */
export async function confirm(client: QueryClient, password: string, totp: string) {
  await take(api.POST('/v1/session/confirm', { body: { password, totp } }))
  await begin(client)
}

export async function changePassword(client: QueryClient, password: string, replacement: string) {
  await take(api.PUT('/v1/session/password', { body: { password, new_password: replacement } }))
  await begin(client)
}

/** The session has a new id, and with it a new CSRF text. */
async function begin(client: QueryClient) {
  await client.refetchQueries({ queryKey: keys.session })
}

export function offerTotp() {
  return take(api.POST('/v1/session/totp'))
}

export async function takeTotp(client: QueryClient, totp: string) {
  await take(api.PUT('/v1/session/totp', { body: { totp } }))
  await begin(client)
}

export async function dropTotp(client: QueryClient) {
  await take(api.DELETE('/v1/session/totp'))
  await begin(client)
}
