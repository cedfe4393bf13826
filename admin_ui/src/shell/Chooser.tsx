import { NativeSelect } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { LANGUAGES, type Language, switchLanguage } from '../i18n'

/** The language, where nobody is signed in yet and there is no menu. */
export function Chooser() {
  const { t, i18n } = useTranslation()
  return (
    <NativeSelect
      mt="xl"
      aria-label={t('shell.language')}
      value={i18n.language}
      data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
      onChange={(event) => void switchLanguage(event.currentTarget.value as Language)}
    />
  )
}
