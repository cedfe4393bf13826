import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { aboutQuery, BACKUP } from '../api/about'
import type { Schemas } from '../api/client'
import { documentsQuery } from '../api/documents'
import { useRights } from '../api/session'
import { providersQuery } from '../api/signing'
import { duration, number } from '../i18n/format'
import { CopyCommand } from '../kit/CopyCommand'
import { NeedsButton } from '../kit/Needs'
import { Panel } from '../kit/Panel'

/** What concerns the whole mesh: who signs in where, what is kept how long, a backup, and which Meshway this is. */
export function Mesh() {
  const about = useQuery(aboutQuery)
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <Providers />
      <Panel asked={about} height={240}>
        {(told) => (
          <>
            <Kept about={told} />
            <Backup />
            <About about={told} />
          </>
        )}
      </Panel>
    </div>
  )
}

function Providers() {
  const { t } = useTranslation()
  const { data } = useQuery(providersQuery)
  return (
    <section className="panel">
      <h2>{t('settings.providers')}</h2>
      {data?.length === 0 && <p style={{ margin: 0 }}>{t('settings.noProviders')}</p>}
      <ul style={{ margin: 0, paddingInlineStart: 20 }}>
        {data?.map((one) => (
          <li key={one.name}>
            {one.title} <code>{one.name}</code>
          </li>
        ))}
      </ul>
      <p style={{ margin: '8px 0 0', color: 'var(--muted)' }}>{t('settings.providersHow')}</p>
    </section>
  )
}

function Kept({ about }: { about: Schemas['About'] }) {
  const { t, i18n } = useTranslation()
  const { maySomewhere } = useRights()
  const settings = useQuery({ ...documentsQuery('MeshSettings'), enabled: maySomewhere('documents:read') })
  const facts: [string, string][] = [
    [
      t('settings.history'),
      about.keeps_history_s ? duration(about.keeps_history_s, i18n.language) : t('settings.forEver'),
    ],
    [
      t('settings.log'),
      t('settings.logKept', {
        revisions: number(about.log_revisions, i18n.language),
        age: duration(about.log_age_s, i18n.language),
      }),
    ],
  ]
  return (
    <section className="panel">
      <h2>{t('settings.retention')}</h2>
      <Facts facts={facts} />
      {settings.data?.map(({ metadata }) => (
        <Link
          key={metadata.name}
          to="/policies/$kind/$namespace/$name"
          params={{ kind: 'MeshSettings', namespace: metadata.namespace ?? 'mesh', name: metadata.name }}
        >
          MeshSettings {metadata.name}
        </Link>
      ))}
    </section>
  )
}

function Backup() {
  const { t } = useTranslation()
  const { may, session } = useRights()
  const mayRead = may('backup:read', '*')
  return (
    <section className="panel">
      <h2>{t('settings.backup')}</h2>
      <p style={{ marginTop: 0 }}>{t('settings.backupAbout')}</p>
      {mayRead && (session.how || session.principal === 'loopback') ? (
        <Button component="a" href={BACKUP} download>
          {t('settings.backupNow')}
        </Button>
      ) : (
        <NeedsButton may={false} right="backup:read" namespace="*" onClick={() => {}}>
          {t('settings.backupNow')}
        </NeedsButton>
      )}
      <div style={{ marginTop: 8 }}>
        <CopyCommand text="meshway backup meshway.backup" />
      </div>
    </section>
  )
}

function About({ about }: { about: Schemas['About'] }) {
  const { t } = useTranslation()
  const yes = (is: boolean) => t(is ? 'users.yes' : 'settings.no')
  const facts: [string, string][] = [
    ['Meshway', about.version],
    [t('settings.licence'), about.licence],
    ['Python', about.python],
    ...Object.entries(about.parts),
    [t('settings.store'), about.store],
    [t('settings.leases'), about.leases],
    [t('changes.revision'), `r${about.revision}`],
    ['TLS', yes(about.tls)],
    [t('settings.trusts'), yes(about.trusts_loopback)],
    [t('states.readOnly'), yes(about.read_only)],
  ]
  return (
    <section className="panel">
      <h2>{t('settings.about')}</h2>
      <Facts facts={facts} />
    </section>
  )
}

function Facts({ facts }: { facts: [string, string][] }) {
  return (
    <dl className="facts">
      {facts.map(([title, value]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
