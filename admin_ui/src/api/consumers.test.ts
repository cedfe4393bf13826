import { describe, expect, it } from 'vitest'
import { type ConsumerSpec, drawKey, endingAt, keysOf, withKey, withoutKey } from './consumers'

const EMPTY = { credentials: [{ jwt: { issuer: 'https://id.example', subject: 'ada' } }], groups: ['gold'] }

describe('keys of a Consumer', () => {
  it('are shaped as gateways read them, and only the hash of the whole is kept', async () => {
    const drawn = await Promise.all(Array.from({ length: 50 }, () => drawKey('2030-01-01T00:00:00Z')))
    expect(new Set(drawn.map((one) => one.key)).size).toBe(50)
    for (const { key, entry } of drawn) {
      expect(key).toMatch(/^mw_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}$/)
      expect(entry.id).toBe(key.slice(3, 11))
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))
      const bytes = entry.hash
        .slice('sha256:'.length)
        .match(/../g)
        ?.map((two) => Number.parseInt(two, 16))
      expect(bytes).toEqual([...new Uint8Array(digest)])
      expect(entry.expires).toBe('2030-01-01T00:00:00Z')
      expect(Date.parse(entry.created ?? '')).toBeGreaterThan(Date.now() - 60_000)
    }
  })

  it('are given, ended and taken away, and nothing else is touched', async () => {
    const { entry } = await drawKey()
    const given = withKey(EMPTY as unknown as ConsumerSpec, entry)
    expect(keysOf(given)).toEqual([entry])
    expect(given.groups).toEqual(['gold'])
    const ended = endingAt(given, entry.id, '2030-01-01T00:00:00Z')
    expect(keysOf(ended)[0]?.expires).toBe('2030-01-01T00:00:00Z')
    expect(keysOf(endingAt(ended, entry.id, '2031-01-01T00:00:00Z'))[0]?.expires).toBe('2030-01-01T00:00:00Z')
    expect(withoutKey(ended, entry.id)).toEqual(EMPTY)
  })
})
