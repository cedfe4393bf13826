import { expect, test } from 'vitest'
import { en } from './en'
import { zhCN } from './zh-CN'

const SOURCES = import.meta.glob<string>('../**/*.{ts,tsx}', { query: '?raw', import: 'default', eager: true })
// Names that are the same in every language.
const NAMES = new Set(['Meshway', 'CLI', 'Ctrl K', 'ms', 'id'])

function leaves(value: object, path = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, one]) =>
    typeof one === 'string' ? [[path + key, one] as [string, string]] : leaves(one, `${path}${key}.`),
  )
}

function holesOf(text: string): string[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map((found) => found[1] ?? '').sort()
}

test('both languages leave the same holes to be filled', () => {
  const chinese = new Map(leaves(zhCN))
  for (const [key, text] of leaves(en)) expect([key, holesOf(chinese.get(key) ?? '')]).toEqual([key, holesOf(text)])
})

test('no text is empty', () => {
  expect([...leaves(en), ...leaves(zhCN)].filter(([, text]) => text.trim() === '')).toEqual([])
})

test('every text is used', () => {
  const all = sources()
    .map(([, text]) => text)
    .join('\n')
  // Keys that are put together (`health.${…}`) are used by what stands before the dot.
  const isUsed = (key: string) =>
    all.includes(`'${key}'`) || all.includes(`\`${key.slice(0, key.lastIndexOf('.'))}.\${`)
  expect(
    leaves(en)
      .map(([key]) => key)
      .filter((key) => !isUsed(key)),
  ).toEqual([])
})

test('no page says anything that is not in the catalogue', () => {
  const bare: string[] = []
  for (const [path, text] of sources()) {
    for (const found of text.matchAll(/>\s*([A-Za-z][A-Za-z ,.'…-]*)\s*<\//g)) {
      const said = (found[1] ?? '').trim()
      if (!NAMES.has(said) && !said.startsWith('meshway ')) bare.push(`${path}: ${said}`)
    }
    for (const found of text.matchAll(/\b(?:label|title|placeholder|aria-label|description)="([A-Z][^"]*)"/g)) {
      if (!NAMES.has(found[1] ?? '')) bare.push(`${path}: ${found[1]}`)
    }
  }
  expect(bare).toEqual([])
})

function sources(): [string, string][] {
  return Object.entries(SOURCES).filter(([path]) => !/\.test\.|\.d\.ts$|\/i18n\/|^\.\/(en|zh-CN)/.test(path))
}
