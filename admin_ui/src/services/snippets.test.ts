import { expect, test } from 'vitest'
import { snippets } from './snippets'

const FORM = {
  namespace: 'shop',
  service: 'reviews',
  address: '10.0.0.7',
  port: 9080,
  version: "v2'; rm",
  zone: '',
  ttl_s: 30,
}

function textOf(id: string): string {
  return snippets(FORM, 'http://127.0.0.1:8500').find((one) => one.id === id)?.text ?? ''
}

test('a quote in a field ends no argument of the shell', () => {
  expect(textOf('cli')).toContain(`--version 'v2'\\''; rm'`)
})

test('curl registers at the instance and says when to come again', () => {
  expect(textOf('curl')).toContain('/v1/namespaces/shop/services/reviews/instances/reviews-1')
  expect(textOf('curl')).toContain('before 30 s are over')
})

test('the program names its service, port and version', () => {
  expect(textOf('sdk')).toContain(`mesh.register("reviews", 9080, version="v2'; rm")`)
})
