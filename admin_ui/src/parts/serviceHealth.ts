import type { ServiceSignals } from '../api/insight'
import type { Service } from '../api/services'
import type { Health } from '../kit/Status'

export type Counts = { passing: number; critical: number; draining: number; maintenance: number; all: number }

export function countsOf(service: Service): Counts {
  const { passing = 0, critical = 0, draining = 0, maintenance = 0 } = service.status
  return { passing, critical, draining, maintenance, all: passing + critical + draining + maintenance }
}

/** By the instances alone: none passing is bad, one that is critical a warning. */
export function healthOf(service: Service): Health {
  const { passing, critical, all } = countsOf(service)
  if (all === 0) return 'idle'
  if (passing === 0) return critical > 0 ? 'bad' : 'warn'
  return critical > 0 ? 'warn' : 'ok'
}

export const STATUS_HEALTH: Record<string, Health> = {
  passing: 'ok',
  critical: 'bad',
  draining: 'warn',
  maintenance: 'idle',
}

/** By `namespace/name`. */
export function signalsByName(signals: readonly ServiceSignals[]): Map<string, ServiceSignals> {
  return new Map(signals.map((one) => [`${one.namespace}/${one.name}`, one]))
}
