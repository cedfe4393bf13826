import { describe, expect, it } from 'vitest'
import { completions, withTerm } from './terms'

describe('terms of a filter', () => {
  it('are put to what is there, once', () => {
    expect(withTerm('', 'status', 503)).toBe('status:503')
    expect(withTerm('status:503', 'service', 'shop/cart')).toBe('status:503 service:shop/cart')
    expect(withTerm('status:503 flag:UF', 'status', 503)).toBe('status:503 flag:UF')
    expect(withTerm('a', 'flag', 'UF', true)).toBe('a !flag:UF')
  })
  it('are quoted where the registry would read them as several', () => {
    expect(withTerm('', 'reason', 'no such host')).toBe("reason:'no such host'")
    expect(withTerm('', 'path', "/it's")).toBe(`path:'/it'"'"'s'`)
  })
  it('are suggested for the last word', () => {
    expect(completions('status>=500 ser')).toEqual(['status>=500 service:'])
    expect(completions('!fl')).toEqual(['!flag:'])
    expect(completions('service:shop')).toEqual([])
  })
})
