import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { en } from './en'

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const
export type Language = keyof typeof LANGUAGES

const KEPT = 'meshway-language'

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
  if (language === 'zh-CN' && !i18next.hasResourceBundle('zh-CN', 'translation')) {
    i18next.addResourceBundle('zh-CN', 'translation', (await import('./zh-CN')).zhCN)
  }
  await i18next.changeLanguage(language)
  localStorage.setItem(KEPT, language)
  document.documentElement.lang = language
}

export async function startLanguages() {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false }, // React escapes
  })
  await switchLanguage(preferredLanguage())
}
