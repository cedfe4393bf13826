import { Checkbox, NativeSelect } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useSession } from '../api/session'
import { LANGUAGES } from '../i18n'
import { DENSITIES, type Density } from '../kit/density'
import { usePreferences } from '../shell/usePreferences'

const THEMES = ['light', 'dark', 'auto'] as const

/** How the console looks and is used, by whoever is signed in. */
export function PreferencesPanel() {
  const { t } = useTranslation()
  const { how } = useSession()
  const { language, theme, density, hasSingleKeys, choose } = usePreferences()
  return (
    <section className="panel" style={{ display: 'grid', gap: 12, maxWidth: 360 }}>
      <p style={{ margin: 0 }}>{t(how ? 'preferences.about' : 'preferences.here')}</p>
      <NativeSelect
        label={t('shell.language')}
        value={language}
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        onChange={(event) => void choose({ language: event.currentTarget.value })}
      />
      <NativeSelect
        label={t('shell.theme')}
        value={theme}
        data={THEMES.map((value) => ({ value, label: t(`theme.${value}`) }))}
        onChange={(event) => void choose({ theme: event.currentTarget.value as (typeof THEMES)[number] })}
      />
      <NativeSelect
        label={t('preferences.density')}
        value={density}
        data={DENSITIES.map((value) => ({ value, label: t(`preferences.${value}`) }))}
        onChange={(event) => void choose({ density: event.currentTarget.value as Density })}
      />
      <Checkbox
        label={t('shell.singleKeys')}
        checked={hasSingleKeys}
        onChange={(event) => void choose({ single_keys: event.currentTarget.checked })}
      />
    </section>
  )
}
