import i18next from 'i18next'
import { beforeAll, expect, it } from 'vitest'
import { en } from '../i18n/en'
import { zhCN } from '../i18n/zh-CN'
import { causeText } from './causes'

beforeAll(async () => {
  await i18next.init({
    lng: 'en',
    resources: { en: { translation: en }, 'zh-CN': { translation: zhCN } },
    interpolation: { escapeValue: false },
  })
})

it('says every cause with its numbers in both languages', () => {
  const all = [
    { code: 'failures', values: { share: 0.086 } },
    { code: 'slow', values: { p95_ms: 412, usual_ms: 31 } },
    { code: 'none_passing', values: { passing: 0, known: 3 } },
    { code: 'few_passing', values: { passing: 1, known: 3 } },
    { code: 'breaker_open', values: { gateways: 2 } },
    { code: 'ejected', values: { instances: 1 } },
  ] as const
  const said = (language: string) => all.map((one) => causeText(one, i18next.getFixedT(language), language))
  expect(said('en')).toEqual([
    '8.6% of calls fail',
    'p95 412 ms, usually 31 ms at this hour',
    'none of 3 instances is passing',
    '1 of 3 instances passing',
    'breaker open at gateways: 2',
    'ejected instances: 1',
  ])
  for (const text of said('zh-CN')) {
    expect(text).toMatch(/[\u4e00-\u9fff]/)
    expect(text).toMatch(/\d/)
    expect(text).not.toContain('{{')
  }
})
