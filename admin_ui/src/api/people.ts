import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type User = Schemas['UserShown']
export type Binding = Schemas['BindingShown']
export type Role = Schemas['BindingRequest']['role']

export const ROLES: readonly Role[] = ['viewer', 'operator', 'editor', 'namespace-admin', 'admin']
/** Held for the whole mesh or not at all. */
export const OF_THE_MESH: readonly Role[] = ['admin', 'gateway']

export const usersQuery = queryOptions({
  queryKey: keys.users,
  queryFn: async () => (await take(api.GET('/v1/users'))).items,
})

export const bindingsQuery = queryOptions({
  queryKey: keys.bindings,
  queryFn: async () => (await take(api.GET('/v1/bindings'))).items,
})

export const rolesQuery = queryOptions({
  queryKey: keys.roles,
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async () => (await take(api.GET('/v1/roles'))).items,
})

/** What a user may, or `sso:PROVIDER:NAME`, and by which roles. */
export const userRightsQuery = (user: string) =>
  queryOptions({
    queryKey: [...keys.users, user, 'rights'],
    retry: false,
    queryFn: () => take(api.GET('/v1/users/{user}/rights', { params: { path: { user } } })),
  })

/** Without a password: the answer has the link by which the person sets it, told this once. */
export function makeUser(name: string, displayName: string) {
  return take(api.POST('/v1/users', { body: { name, display_name: displayName } }))
}

export function changeUser(user: string, change: Schemas['UserChange']) {
  return take(api.PATCH('/v1/users/{user}', { params: { path: { user } }, body: change }))
}

export function deleteUser(user: string) {
  return take(api.DELETE('/v1/users/{user}', { params: { path: { user } } }))
}

/** Takes the password away, ends all sessions; the answer has a link to set the next one. */
export function resetUser(user: string) {
  return take(api.POST('/v1/users/{user}/reset', { params: { path: { user } }, body: {} }))
}

export function endSessions(user: string) {
  return take(api.DELETE('/v1/users/{user}/sessions', { params: { path: { user } } }))
}

export function bind(binding: Schemas['BindingRequest']) {
  return take(api.POST('/v1/bindings', { body: binding }))
}

export function unbind(binding: string) {
  return take(api.DELETE('/v1/bindings/{binding}', { params: { path: { binding } } }))
}
