import { expect, it } from 'vitest'
import type { Authority } from '../api/identity'
import { chainOf } from './Authorities'

function authority(id: string, issuer: string, certificate: string): Authority {
  return { id, issuer, certificate, role: 'root', state: 'current', not_after: 0, has_key: true }
}

it('puts a certificate before those that vouch for it', () => {
  const all = [authority('root', '', 'R\n'), authority('below', 'root', 'I\n'), authority('signs', '', '')]
  expect(all.map((one) => chainOf(one, all))).toEqual(['R\n', 'I\nR\n', ''])
})
