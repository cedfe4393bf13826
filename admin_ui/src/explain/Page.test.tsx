import { expect, test } from 'vitest'
import { commandOf, headersOf, listenersOf } from './Page'

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

test('what is no call is asked in a shell by its Listener, a CONNECT by host and port', () => {
  const asked = (method: string, url = '', listener = '') => commandOf({ method, url, listener, as: '' })
  expect(asked('TCP', '', 'postgres')).toBe('meshway explain TCP --listener postgres')
  expect(asked('UDP', '', 'game')).toBe('meshway explain UDP --listener game')
  expect(asked('TLS', 'db.example', 'by-name')).toBe('meshway explain TLS db.example --listener by-name')
  expect(asked('CONNECT')).toBe('meshway explain CONNECT db.default.mesh:5432')
  expect(asked('GET')).toBe('meshway explain GET http://books.default.mesh/')
})
