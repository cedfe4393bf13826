import { queryOptions } from '@tanstack/react-query'
import { api, type Schemas, take } from './client'
import { keys } from './keys'

export type RolloutSummary = Schemas['RolloutSummary']
export type Rollout = Schemas['RolloutTold']
export type Step = Schemas['StepTold']
export type Measure = Schemas['Measure']
export type Action = 'promote' | 'hold' | 'abort' | 'skip'

/** In the order in which they stand on the page and in the command. */
export const ACTIONS: readonly Action[] = ['promote', 'hold', 'abort', 'skip']
// The live stream says when there is something new; this is for when it is away.
const ASK_AGAIN_MS = 10_000

export const rolloutsQuery = queryOptions({
  queryKey: keys.rollouts,
  refetchInterval: ASK_AGAIN_MS,
  queryFn: async () => (await take(api.GET('/v1/rollouts'))).items,
})

export const rolloutQuery = (namespace: string, name: string) =>
  queryOptions({
    queryKey: [...keys.rollouts, namespace, name],
    refetchInterval: ASK_AGAIN_MS,
    queryFn: () => take(api.GET('/v1/rollouts/{namespace}/{name}', { params: { path: { namespace, name } } })),
  })

export function isOver(phase: RolloutSummary['phase']): boolean {
  return phase === 'promoted' || phase === 'aborted'
}

/** Only of what was looked at: 412 when somebody, or the Rollout itself, was quicker. */
export function act({ namespace, name, revision }: RolloutSummary, action: Action, reason: string) {
  const init = {
    params: { path: { namespace, name }, header: { 'If-Match': `"${revision}"` } },
    body: { reason },
  }
  switch (action) {
    case 'promote':
      return take(api.POST('/v1/rollouts/{namespace}/{name}/promote', init))
    case 'hold':
      return take(api.POST('/v1/rollouts/{namespace}/{name}/hold', init))
    case 'abort':
      return take(api.POST('/v1/rollouts/{namespace}/{name}/abort', init))
    case 'skip':
      return take(api.POST('/v1/rollouts/{namespace}/{name}/skip', init))
  }
}
