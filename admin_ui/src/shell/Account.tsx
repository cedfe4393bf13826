import { Menu, UnstyledButton, useMantineColorScheme } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'
import { signOut } from '../api/signing'
import { LANGUAGES, type Language, switchLanguage } from '../i18n'
import { areSingleKeysOn, setSingleKeys } from './shortcuts'

const THEMES = ['light', 'dark', 'auto'] as const

/** Who is signed in, and what is theirs to choose: language, theme, single-key shortcuts. */
export function Account() {
  const { t, i18n } = useTranslation()
  const session = useSession()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [hasKeys, setHasKeys] = useState(areSingleKeysOn)
  return (
    <Menu position="bottom-end" withinPortal closeOnItemClick={false}>
      <Menu.Target>
        <UnstyledButton style={{ display: 'inline-flex', alignItems: 'center', gap: 4, minHeight: 24 }}>
          {session.principal}
          <IconChevronDown size={14} aria-hidden="true" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown aria-label={t('shell.account')}>
        <Menu.Label>{t('shell.language')}</Menu.Label>
        <Menu.RadioGroup value={i18n.language} onChange={(language) => void switchLanguage(language as Language)}>
          {Object.entries(LANGUAGES).map(([language, name]) => (
            <Menu.RadioItem key={language} value={language}>
              <span lang={language}>{name}</span>
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Label>{t('shell.theme')}</Menu.Label>
        <Menu.RadioGroup value={colorScheme} onChange={(scheme) => setColorScheme(scheme as (typeof THEMES)[number])}>
          {THEMES.map((one) => (
            <Menu.RadioItem key={one} value={one}>
              {t(`theme.${one}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Label>{t('shell.keys')}</Menu.Label>
        <Menu.CheckboxItem
          checked={hasKeys}
          onChange={(isOn) => {
            setSingleKeys(isOn)
            setHasKeys(isOn)
          }}
        >
          {t('shell.singleKeys')}
        </Menu.CheckboxItem>
        {session.how && (
          <>
            <Menu.Divider />
            <Menu.Item onClick={() => void signOut(session.principal)}>{t('shell.signOut')}</Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  )
}
