import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import type { Catalogue, en } from './en'

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const
export type Language = keyof typeof LANGUAGES

const KEPT = 'meshway-language'
// Each in a file of its own: nobody loads the words of a language that is not read.
const WORDS: Record<Language, () => Promise<Catalogue>> = {
  en: async () => (await import('./en')).en,
  'zh-CN': async () => (await import('./zh-CN')).zhCN,
}

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en }
  }
}

/** What was chosen here before, else what the browser prefers. */
export function preferredLanguage(): Language {
  const kept = localStorage.getItem(KEPT)
  if (kept !== null && kept in LANGUAGES) return kept as Language
  return navigator.languages.some((one) => one.toLowerCase().startsWith('zh')) &&
    !navigator.languages[0]?.toLowerCase().startsWith('en')
    ? 'zh-CN'
    : 'en'
}

export async function switchLanguage(language: Language) {
  if (!i18next.hasResourceBundle(language, 'translation')) {
    i18next.addResourceBundle(language, 'translation', await WORDS[language]())
  }
  await i18next.changeLanguage(language)
  localStorage.setItem(KEPT, language)
  document.documentElement.lang = language
}

export async function startLanguages() {
  await i18next.use(initReactI18next).init({
    // Both catalogues have every key: a missing one does not compile.
    fallbackLng: false,
    resources: {},
    interpolation: { escapeValue: false }, // React escapes
  })
  await switchLanguage(preferredLanguage())
}
