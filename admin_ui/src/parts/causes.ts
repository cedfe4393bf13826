import type { TFunction } from 'i18next'
import type { Schemas } from '../api/client'
import { millis, percent } from '../i18n/format'

type Cause = Schemas['Cause']

/** Why a service is as it is, in the reader's language. */
export function causeText({ code, values }: Cause, t: TFunction, language: string): string {
  const of = (name: string) => values[name] ?? 0
  if (code === 'failures') return t('causes.failures', { share: percent(of('share'), language) })
  if (code === 'slow') {
    return t('causes.slow', { p95: millis(of('p95_ms'), language), usual: millis(of('usual_ms'), language) })
  }
  return t(`causes.${code}`, values)
}
