/** Numbers and times in the reader's language, by Intl alone. Times are milliseconds since 1970. */

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

const DURATIONS: [string, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

const BYTES: [string, number][] = [
  ['megabyte-per-second', 1_000_000],
  ['kilobyte-per-second', 1_000],
]

export function ago(distance_ms: number, language: string): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'narrow' })
  const [unit, size] = STEPS.find(([, one]) => Math.abs(distance_ms) >= one) ?? ['second', 1_000]
  return format.format(Math.round(distance_ms / size), unit)
}

export function clock(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'long' }).format(at)
}

/** To the millisecond, without the day. */
export function timeOfDay(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
  }).format(at)
}

export function day(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(at)
}

export function utc(at: number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')
}

const formats = new Map<string, Intl.NumberFormat>()

/** Making one costs more than a hundred uses of it, and tables write thousands of numbers. */
function formatOf(language: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${language} ${JSON.stringify(options)}`
  let format = formats.get(key)
  if (format === undefined) {
    format = new Intl.NumberFormat(language, options)
    formats.set(key, format)
  }
  return format
}

export function number(value: number, language: string): string {
  return formatOf(language, {}).format(value)
}

/** A rate, a duration, a share: three digits that count. */
function short(value: number, language: string): string {
  return formatOf(language, { maximumSignificantDigits: 3 }).format(value)
}

export function perSecond(rate: number, language: string): string {
  return `${short(rate, language)}/s`
}

/** share: 0 to 1. */
export function percent(share: number, language: string): string {
  return formatOf(language, { style: 'percent', maximumSignificantDigits: share < 0.1 ? 2 : 3 }).format(share)
}

export function millis(value: number, language: string): string {
  return value >= 10_000 ? `${short(value / 1000, language)} s` : `${short(value, language)} ms`
}

/** Of a whole number of minutes, hours or days, as far as it is one. */
export function duration(seconds: number, language: string): string {
  const [unit, size] = DURATIONS.find(([, one]) => seconds >= one && seconds % one === 0) ?? ['second', 1]
  return formatOf(language, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / size)
}

/** Of bytes. */
export function bytesPerSecond(rate: number, language: string): string {
  const [unit, size] = BYTES.find(([, one]) => rate >= one) ?? ['byte-per-second', 1]
  return formatOf(language, { style: 'unit', unit, unitDisplay: 'narrow', maximumSignificantDigits: 3 }).format(
    rate / size,
  )
}
