import { Menu, UnstyledButton } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'
import { signOut } from '../api/signing'
import { LANGUAGES } from '../i18n'
import { DENSITIES, type Density } from '../kit/density'
import { usePreferences } from './usePreferences'

const THEMES = ['light', 'dark', 'auto'] as const
type Theme = (typeof THEMES)[number]

/** Who is signed in, and what is theirs to choose: language, theme, density, single-key shortcuts. */
export function Account() {
  const { t } = useTranslation()
  const session = useSession()
  const { language, theme, density, hasSingleKeys, choose } = usePreferences()
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
        <Menu.RadioGroup value={language} onChange={(next) => void choose({ language: next })}>
          {Object.entries(LANGUAGES).map(([one, name]) => (
            <Menu.RadioItem key={one} value={one}>
              <span lang={one}>{name}</span>
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Label>{t('shell.theme')}</Menu.Label>
        <Menu.RadioGroup value={theme} onChange={(next) => void choose({ theme: next as Theme })}>
          {THEMES.map((one) => (
            <Menu.RadioItem key={one} value={one}>
              {t(`theme.${one}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Label>{t('preferences.density')}</Menu.Label>
        <Menu.RadioGroup value={density} onChange={(next) => void choose({ density: next as Density })}>
          {DENSITIES.map((one) => (
            <Menu.RadioItem key={one} value={one}>
              {t(`preferences.${one}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Label>{t('shell.keys')}</Menu.Label>
        <Menu.CheckboxItem checked={hasSingleKeys} onChange={(isOn) => void choose({ single_keys: isOn })}>
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
