import type { TFunction } from 'i18next'
import type { Figures } from '../api/insight'
import { bytesPerSecond, millis, percent, perSecond } from '../i18n/format'
import { type Card, type Line, MORE } from './graph'
import type { LabelKind } from './search'

const OUTSIDE = ['edge', 'anonymous', 'hidden', 'other'] as const
const REPEATED = 0.1

/** What a node is called: names of services stay, callers from outside have words. */
export function nameOf(t: TFunction, id: string, folded = 0): string {
  if (id === MORE) return t('map.more', { count: folded })
  const outside = OUTSIDE.find((one) => one === (id || 'anonymous'))
  return outside ? t(`signals.${outside}`) : id
}

/** What stands on an edge. share: of all that its caller calls, 0 to 1. */
export function labelOf(figures: Figures, kind: LabelKind, share: number, language: string): string {
  if (kind === 'none') return ''
  if (figures.calls === 0) return '–'
  if (kind === 'bytes')
    return `↑ ${bytesPerSecond(figures.in_bps, language)} · ↓ ${bytesPerSecond(figures.out_bps, language)}`
  if (kind === 'share') return percent(share, language)
  const { rps, error_share, p95_ms } = figures
  return `${perSecond(rps, language)} · ${percent(error_share, language)} · ${millis(p95_ms, language)}`
}

const OF_BYTES = ['tcp', 'tls', 'udp']

/** Whether an edge carries connections, or sessions of datagrams, and no calls. */
export function isOfBytes({ protocols = [] }: Pick<Line, 'protocols'>): boolean {
  return protocols.length > 0 && protocols.every((one) => OF_BYTES.includes(one))
}

type Marked = Pick<Line, 'figures' | 'limited' | 'shed' | 'mutual' | 'protocols'>

/** What is worth a mark of an edge's calls, in words: what is spoken beside plain HTTP, and how they fare. */
export function marksOf(t: TFunction, line: Marked, language: string) {
  const { calls, retries } = line.figures
  const marks: string[] = (line.protocols ?? []).map((one) => t(`map.protocol.${one}`))
  if (calls === 0) return marks
  const share = (count: number) => percent(count / calls, language)
  if ((line.mutual ?? 0) > 0) marks.push(t(line.mutual === calls ? 'map.mark.mutual' : 'map.mark.partlyMutual'))
  if (line.shed) marks.push(t('map.mark.shed', { share: share(line.shed) }))
  if (line.limited) marks.push(t('map.mark.limited', { share: share(line.limited) }))
  if (retries / calls > REPEATED) marks.push(t('map.mark.retries', { share: share(retries) }))
  return marks
}

/** What fires, where its calls part, what keeps them away, and what is open: no call counts it before it ends. */
export function cardMarks(t: TFunction, { alerts = [], breakers, branchings = [], open_now = 0 }: Card): string[] {
  const marks = alerts.map((name) => t('map.mark.alert', { name }))
  if (breakers) marks.push(t('map.mark.breaker'))
  if (branchings.some(({ split }) => split?.length)) marks.push(t('map.mark.split'))
  if (branchings.some(({ mirror }) => mirror?.length)) marks.push(t('map.mark.mirror'))
  if (open_now > 0) marks.push(t('map.mark.open', { count: open_now }))
  return marks
}

/** The shares of versions, the largest first; none where there is only one without a name. */
export function versionsOf({ versions }: Card, language: string): string {
  const known = Object.entries(versions ?? {}).sort(([, a], [, b]) => b - a)
  if (known.length === 0 || (known.length === 1 && !known[0]?.[0])) return ''
  return known.map(([name, share]) => `${name || '–'} ${percent(share, language)}`).join(' · ')
}

/** All that a card shows, as one sentence: for who cannot see it. */
export function saidOf(t: TFunction, card: Card, language: string): string {
  const { figures, instances } = card
  return [
    nameOf(t, card.id, card.folded),
    t(`signals.health.${card.health}`),
    ...(figures.calls > 0 ? [labelOf(figures, 'rates', 1, language)] : []),
    ...(instances ? [t('overview.passing', { passing: instances.passing, all: instances.known }).trim()] : []),
    ...cardMarks(t, card),
  ].join(', ')
}
