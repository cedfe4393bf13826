import { queryOptions } from '@tanstack/react-query'
import { createContext, useContext } from 'react'
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
      setCsrf(session.csrf ?? '')
      return { session, revision: Number(response.headers.get('meshway-revision') ?? 0) }
    } catch (problem) {
      if (problem instanceof ApiProblem && problem.status === 401) return null
      throw problem
    }
  },
})

/** Given by the shell to all that stands below the sign-in page. */
export const SignedIn = createContext<Session | null>(null)

/** Whether what is shown is of a moment that is past: then nothing is changed. */
export const Past = createContext(false)

/** Of whoever is signed in. */
export function useSession(): Session {
  const session = useContext(SignedIn)
  if (session === null) throw new Error('useSession belongs below the shell')
  return session
}

/** Whether a right is held in a namespace (`*`: in all of them); the API judges each call again. */
export function holds(session: Session, right: string, namespace: string): boolean {
  return [EVERYWHERE, namespace].some((place) => session.rights[place]?.includes(right))
}

export function holdsSomewhere(session: Session, right: string): boolean {
  return Object.values(session.rights).some((rights) => rights.includes(right))
}

/** What one may do here. isReadOnly: nobody writes now, whatever the rights: the registry, or what is shown, is frozen. */
export function useRights() {
  const session = useSession()
  const isPast = useContext(Past)
  const isReadOnly = session.read_only === true || isPast
  return {
    session,
    isReadOnly,
    may: (right: string, namespace: string) =>
      (!isReadOnly || right.endsWith(':read')) && holds(session, right, namespace),
    maySomewhere: (right: string) => holdsSomewhere(session, right),
  }
}
