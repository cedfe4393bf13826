/** How far back the slider reaches. */
export const REACH_S = 48 * 3_600
const MINUTE_S = 60

/** at: seconds since 1970. */
export type Moment = { at: number; name: string; kind: 'revision' | 'alert' }

/** Of so many minutes from now, on the minute; undefined: now. */
export function momentOf(minutes: number, now_ms: number): number | undefined {
  if (minutes >= 0) return undefined
  return Math.floor(now_ms / 1000 / MINUTE_S) * MINUTE_S + minutes * MINUTE_S
}

/** The moment so many seconds on; undefined when that is now. */
export function speedStep(at: number, step_s: number, now_ms: number): number | undefined {
  const next = at + step_s
  return next >= now_ms / 1000 ? undefined : next
}

/** One for each second, with the names of all: they are chosen by their time. */
export function unique(moments: readonly Moment[]): Moment[] {
  const found = new Map<number, Moment>()
  for (const moment of moments) {
    const known = found.get(moment.at)
    found.set(moment.at, known ? { ...known, name: `${known.name}, ${moment.name}` } : moment)
  }
  return [...found.values()]
}
