import type { ConsumerDay, ConsumerSpec } from '../api/consumers'
import type { Document } from '../api/documents'

const MESH = 'mesh'

type LimitSpec = {
  key?: string[]
  quota?: { limit: number; per: 'day' | 'month'; timezone?: string }
  token_bucket?: { rate: string; burst?: number }
  sliding_window?: { limit: number; window: string }
  in_flight?: { max: number }
  mode?: 'enforce' | 'audit'
}

/** A RateLimit that counts each Consumer by itself. text: how much it admits. quota: of the calendar, if it is one. */
export type Plan = {
  namespace: string
  name: string
  text: string
  isAudit: boolean
  quota: LimitSpec['quota']
}

/** Those that may count this Consumer: by `consumer`, of its namespace or of the mesh; a Consumer of the mesh: all. */
export function plansOf(limits: readonly Document[], namespace: string): Plan[] {
  return limits.flatMap(({ metadata, spec }) => {
    const limit = spec as LimitSpec
    const place = metadata.namespace ?? 'default'
    if (!limit.key?.includes('consumer')) return []
    if (namespace !== MESH && place !== namespace && place !== MESH) return []
    return [
      {
        namespace: place,
        name: metadata.name,
        text: textOf(limit),
        isAudit: limit.mode === 'audit',
        quota: limit.quota,
      },
    ]
  })
}

function textOf({ quota, token_bucket, sliding_window, in_flight }: LimitSpec): string {
  if (quota) return `${quota.limit} / ${quota.per}`
  if (token_bucket) return token_bucket.rate + (token_bucket.burst ? `, burst ${token_bucket.burst}` : '')
  if (sliding_window) return `${sliding_window.limit} / ${sliding_window.window}`
  return in_flight ? `${in_flight.max} in flight` : ''
}

/** Calls of the period that has begun which no limit refused: days are those of UTC. */
export function usedOf(days: readonly ConsumerDay[], per: 'day' | 'month'): number {
  const last = days.at(-1)
  if (!last) return 0
  const now = new Date(last.begin * 1000)
  const begin = per === 'day' ? last.begin : Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1) / 1000
  return days
    .filter((day) => day.begin >= begin)
    .reduce((sum, { calls }) => sum + (calls.calls ?? 0) - (calls.limited ?? 0) - (calls.denied ?? 0), 0)
}

/** Of its proofs, what is no API key. */
export function othersOf(spec: ConsumerSpec): string[] {
  return (spec.credentials ?? []).flatMap((one) => {
    if (one.jwt) return [`jwt ${one.jwt.issuer}#${one.jwt.subject}`]
    return one.basic ? [`basic ${one.basic.username}`] : []
  })
}
