import { useMantineColorScheme } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import i18next from 'i18next'
import { useCallback, useEffect, useState } from 'react'
import { keepPreferences, type Preferences, preferencesQuery } from '../api/preferences'
import { useSession } from '../api/session'
import { LANGUAGES, type Language, switchLanguage } from '../i18n'
import { currentDensity, type Density, setDensity } from '../kit/density'
import { areSingleKeysOn, setSingleKeys } from './shortcuts'

/** What is in force now, and how to choose otherwise: here at once, and for the person wherever they sign in. */
export function usePreferences() {
  const client = useQueryClient()
  const { how } = useSession()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [, again] = useState(0)
  const choose = useCallback(
    async (change: Preferences) => {
      await apply(change, setColorScheme)
      again((count) => count + 1)
      if (how) await keepPreferences(client, change)
    },
    [client, how, setColorScheme],
  )
  return {
    language: i18next.language as Language,
    theme: colorScheme,
    density: currentDensity(),
    hasSingleKeys: areSingleKeysOn(),
    choose,
  }
}

/** Once, for who has signed in: what they chose elsewhere counts here. */
export function useKeptPreferences() {
  const { how } = useSession()
  const { setColorScheme } = useMantineColorScheme()
  const kept = useQuery({ ...preferencesQuery, enabled: !!how })
  const { data } = kept
  useEffect(() => {
    if (data) void apply(data, setColorScheme)
  }, [data, setColorScheme])
}

type SetTheme = (theme: NonNullable<Preferences['theme']>) => void

/** What is not said, or not known here, stays. */
async function apply({ language, theme, density, single_keys }: Preferences, setTheme: SetTheme) {
  if (theme === 'light' || theme === 'dark' || theme === 'auto') setTheme(theme)
  if (density !== undefined) setDensity(density as Density)
  if (single_keys !== undefined) setSingleKeys(single_keys)
  if (language !== undefined && language in LANGUAGES && language !== i18next.language) {
    await switchLanguage(language as Language)
  }
}
