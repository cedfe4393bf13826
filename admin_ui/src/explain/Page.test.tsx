import { expect, test } from 'vitest'
import { headersOf } from './Page'

test('headers are read line by line, and what is none is left out', () => {
  expect(headersOf('x-user: ann\nx-url: http://a:80/\n\nnothing\n: empty')).toEqual({
    'x-user': 'ann',
    'x-url': 'http://a:80/',
  })
})
