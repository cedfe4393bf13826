import { expect, test } from 'vitest'
import { headersOf, listenersOf } from './Page'

test('headers are read line by line, and what is none is left out', () => {
  expect(headersOf('x-user: ann\nx-url: http://a:80/\n\nnothing\n: empty')).toEqual({
    'x-user': 'ann',
    'x-url': 'http://a:80/',
  })
})

test('a call can come by any Listener, each named once', () => {
  const written = ['partner', 'edge'].map((name) => ({ metadata: { name } }))
  expect(listenersOf(written)).toEqual(['edge', 'edge-tls', 'mesh', 'mesh-tls', 'partner'])
  expect(listenersOf()).toEqual(['edge', 'edge-tls', 'mesh', 'mesh-tls'])
})
