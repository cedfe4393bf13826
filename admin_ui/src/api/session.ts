import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { ApiProblem, api, type Schemas, setCsrf, whole } from './client'
import { keys } from './keys'

export type Session = Schemas['Session']

const EVERYWHERE = '*'

/** Who is signed in; null: nobody. What the API says first decides what the console shows at all. */
export const sessionQuery = queryOptions({
  queryKey: keys.session,
  staleTime: 60_000,
  queryFn: async (): Promise<{ session: Session; revision: number } | null> => {
    try {
      const { data, response } = await whole(api.GET('/v1/session'))
      const session = data as Session
      setCsrf((session as { csrf?: string }).csrf ?? '')
      return { session, revision: Number(response.headers.get('meshway-revision') ?? 0) }
    } catch (problem) {
      if (problem instanceof ApiProblem && problem.status === 401) return null
      throw problem
    }
  },
})

/** Of whoever is signed in: below the sign-in page there always is somebody. */
export function useSession() {
  const { data } = useSuspenseQuery(sessionQuery)
  if (data === null) throw new ApiProblem(401, 'not_signed_in', 'Not signed in')
  return data.session
}

/** Whether a right is held in a namespace (`*`: in all of them); the API judges each call again. */
export function holds(session: Session, right: string, namespace: string): boolean {
  return [EVERYWHERE, namespace].some((place) => session.rights[place]?.includes(right))
}

export function holdsSomewhere(session: Session, right: string): boolean {
  return Object.values(session.rights).some((rights) => rights.includes(right))
}

/** What one may do here. isReadOnly: nobody writes now, whatever the rights. */
export function useRights() {
  const session = useSession()
  const isReadOnly = (session as { read_only?: boolean }).read_only === true
  return {
    session,
    isReadOnly,
    may: (right: string, namespace: string) =>
      (!isReadOnly || right.endsWith(':read')) && holds(session, right, namespace),
    maySomewhere: (right: string) => holdsSomewhere(session, right),
  }
}
