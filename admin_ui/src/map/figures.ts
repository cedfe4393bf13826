import type { Figures } from '../api/insight'

/** Of no calls. */
export const NOTHING: Figures = {
  calls: 0,
  rps: 0,
  error_share: 0,
  rejected_share: 0,
  p50_ms: 0,
  p95_ms: 0,
  p99_ms: 0,
  mean_ms: 0,
  in_bps: 0,
  out_bps: 0,
  retries: 0,
}

const SUMMED = ['calls', 'rps', 'in_bps', 'out_bps', 'retries'] as const
const MEANT = ['error_share', 'rejected_share', 'mean_ms'] as const
const MOST = ['p50_ms', 'p95_ms', 'p99_ms'] as const

/** Of percentiles the highest: how they lie together is not known here. */
export function sum(parts: readonly Figures[]): Figures {
  const total = { ...NOTHING }
  for (const one of parts) {
    for (const of of SUMMED) total[of] += one[of]
    for (const of of MEANT) total[of] += one[of] * one.calls
    for (const of of MOST) total[of] = Math.max(total[of], one[of])
  }
  for (const of of MEANT) total[of] /= Math.max(1, total.calls)
  return total
}
