import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { ApiProblem, api, type Schemas, take } from './client'
import { keys } from './keys'

export type Identity = Schemas['IdentityShown']
export type Authority = Schemas['AuthorityShown']
export type Certificate = Schemas['CertificateShown']

const PAGE = 200
const ASK_AGAIN_MS = 10_000

/** null: there is no authority yet. While a root takes another's place it is asked again, to see what it waits for. */
export const identityQuery = queryOptions({
  queryKey: keys.identity,
  refetchInterval: ({ state }) => (state.data && state.data.phase !== 'settled' ? ASK_AGAIN_MS : false),
  queryFn: async () => {
    try {
      return await take(api.GET('/v1/identity'))
    } catch (problem) {
      if (problem instanceof ApiProblem && problem.status === 409) return null
      throw problem
    }
  },
})

export const certificatesQuery = infiniteQueryOptions({
  queryKey: [...keys.identity, 'certificates'],
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam }) =>
    take(api.GET('/v1/identity/certificates', { params: { query: { limit: PAGE, cursor: pageParam } } })),
  getNextPageParam: (page) => page.next ?? undefined,
})

/** Makes the mesh's own authority. Once: the trust domain stays. */
export function beginAuthority(trustDomain: string) {
  return take(api.POST('/v1/identity/authority', { body: { trust_domain: trustDomain } }))
}

/** The next step of a change of the root, the step before, or another intermediate at once. */
export function rotate(what: 'root' | 'intermediate', step: 'next' | 'back', rootKey = '') {
  return take(api.POST('/v1/identity/rotation', { body: { what, step, root_key: rootKey } }))
}

/** A one-time token for a first certificate; told this once. subject: `namespace/service` or `gateway/HOST`. */
export function enrol(subject: string) {
  return take(api.POST('/v1/identity/enrolments', { body: { subject } }))
}

export function revoke(which: { serial: string } | { subject: string }) {
  return take(api.POST('/v1/identity/revocations', { body: which }))
}
