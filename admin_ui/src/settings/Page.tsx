import { Tabs } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useRights } from '../api/session'
import { PageHead } from '../kit/PageHead'
import { MyRights } from './MyRights'
import { Tokens } from './Tokens'

/** Who may do what, by which token; and what one may oneself. */
export function SettingsPage() {
  const { t } = useTranslation()
  const { maySomewhere } = useRights()
  const hasTokens = maySomewhere('tokens:read')
  return (
    <>
      <PageHead title={t('nav.settings')} />
      <Tabs defaultValue={hasTokens ? 'tokens' : 'rights'} keepMounted={false}>
        <Tabs.List>
          {hasTokens && <Tabs.Tab value="tokens">{t('settings.tokens')}</Tabs.Tab>}
          <Tabs.Tab value="rights">{t('settings.rights')}</Tabs.Tab>
        </Tabs.List>
        {hasTokens && (
          <Tabs.Panel value="tokens" pt="md">
            <Tokens />
          </Tabs.Panel>
        )}
        <Tabs.Panel value="rights" pt="md">
          <MyRights />
        </Tabs.Panel>
      </Tabs>
    </>
  )
}
