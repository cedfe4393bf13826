import { Anchor, Group } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { type Alert, callsOf, serviceOf } from '../api/alerts'
import { revisionsQuery } from '../api/revisions'
import { useRights } from '../api/session'
import { clock, number } from '../i18n/format'
import { Panel } from '../kit/Panel'
import { RevisionList } from '../parts/RevisionList'
import { LinkButton } from '../shell/LinkButton'

// What was changed so long before it began is shown beside it.
const BEFORE_S = 900
const AFTER_S = 60
const WINDOW_S = 900

/** One alert: what it says, and where to look next: its service then, its calls, what was changed before it. */
export function AlertDetail({ alert }: { alert: Alert }) {
  const { t, i18n } = useTranslation()
  const { maySomewhere, session } = useRights()
  const service = serviceOf(alert)
  const filter = callsOf(alert)
  const end = alert.resolved_at ?? undefined
  const then = end === undefined ? {} : { at: Math.ceil(end), window_s: WINDOW_S }
  return (
    <section className="panel" style={{ marginTop: 12 }} aria-label={t('alerts.detail', { alert: alert.name })}>
      <h3 style={{ fontSize: 14, marginTop: 0 }}>
        {alert.namespace} / {alert.name}
      </h3>
      <p style={{ margin: '0 0 8px' }}>{alert.summary}</p>
      <dl className="facts">
        <Fact name={t('alerts.value')}>{number(alert.value ?? 0, i18n.language)}</Fact>
        <Fact name={t('alerts.began')}>{clock(alert.active_at * 1000, i18n.language)}</Fact>
        {alert.fired_at && <Fact name={t('alerts.firedAt')}>{clock(alert.fired_at * 1000, i18n.language)}</Fact>}
        {end && <Fact name={t('alerts.until')}>{clock(end * 1000, i18n.language)}</Fact>}
        <Fact name={t('alerts.labels')}>
          {Object.entries(alert.labels ?? {}).map(([name, value]) => (
            <code key={name} style={{ marginInlineEnd: 8 }}>
              {name}={value}
            </code>
          ))}
        </Fact>
        <Fact name={t('alerts.told')}>{alert.receivers?.join(', ') || t('alerts.nobody')}</Fact>
        {alert.runbook_url && (
          <Fact name={t('alerts.runbook')}>
            <Anchor href={alert.runbook_url} target="_blank" rel="noreferrer">
              {alert.runbook_url}
            </Anchor>
          </Fact>
        )}
      </dl>
      <Group gap="xs" my="sm">
        {service && (
          <LinkButton
            variant="default"
            to="/services/$namespace/$service"
            params={service}
            search={(before) => ({ ...before, ...then })}
          >
            {t('alerts.openService')}
          </LinkButton>
        )}
        {filter && maySomewhere('metrics:read') && (
          <LinkButton variant="default" to="/requests" search={(before) => ({ ...before, filter })}>
            {t('alerts.openCalls')}
          </LinkButton>
        )}
      </Group>
      {session && maySomewhere('documents:read') && <Changes alert={alert} />}
    </section>
  )
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

/** Revisions of the quarter of an hour before it. */
function Changes({ alert }: { alert: Alert }) {
  const { t } = useTranslation()
  const asked = useInfiniteQuery(revisionsQuery)
  const from = (alert.active_at - BEFORE_S) * 1000
  const to = (alert.active_at + AFTER_S) * 1000
  return (
    <>
      <h4 style={{ fontSize: 13, margin: '12px 0 4px' }}>{t('alerts.changedBefore')}</h4>
      <Panel asked={asked} height={60}>
        {({ pages }) => {
          const near = pages
            .flatMap((page) => page.items)
            .filter((one) => Date.parse(one.at) >= from && Date.parse(one.at) <= to)
          return near.length === 0 ? <p>{t('alerts.nothingChanged')}</p> : <RevisionList revisions={near} isShort />
        }}
      </Panel>
    </>
  )
}
