import { Tabs } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useRights } from '../api/session'
import { PageHead } from '../kit/PageHead'
import { Account } from './Account'
import { Bindings } from './Bindings'
import { Mesh } from './Mesh'
import { MyRights } from './MyRights'
import { Namespaces } from './Namespaces'
import { PreferencesPanel } from './Preferences'
import { Tokens } from './Tokens'
import { Users } from './Users'

/** Who may do what: people, their roles, tokens; and one's own account. */
export function SettingsPage() {
  const { t } = useTranslation()
  const { session, may, maySomewhere } = useRights()
  const all: [string, string, boolean, ReactNode][] = [
    ['users', t('settings.users'), may('users:read', '*'), <Users key="users" />],
    ['roles', t('settings.roles'), maySomewhere('bindings:read'), <Bindings key="roles" />],
    ['tokens', t('settings.tokens'), maySomewhere('tokens:read'), <Tokens key="tokens" />],
    ['namespaces', t('settings.namespaces'), maySomewhere('documents:read'), <Namespaces key="namespaces" />],
    ['mesh', t('settings.mesh'), true, <Mesh key="mesh" />],
    ['account', t('settings.account'), !!session.user, <Account key="account" />],
    ['rights', t('settings.rights'), true, <MyRights key="rights" />],
    ['preferences', t('preferences.title'), true, <PreferencesPanel key="preferences" />],
  ]
  const shown = all.filter(([, , isOffered]) => isOffered)
  return (
    <>
      <PageHead title={t('nav.settings')} />
      <Tabs defaultValue={shown[0]?.[0]} keepMounted={false}>
        <Tabs.List>
          {shown.map(([id, title]) => (
            <Tabs.Tab key={id} value={id}>
              {title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {shown.map(([id, , , content]) => (
          <Tabs.Panel key={id} value={id} pt="md">
            {content}
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  )
}
