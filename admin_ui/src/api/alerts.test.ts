import { expect, test } from 'vitest'
import { type Alert, callsOf, healthOfAlert, matchersOf, serviceOf } from './alerts'

const ALERT = {
  id: 'a',
  namespace: 'mesh',
  name: 'builtin-errors',
  fingerprint: 'f',
  labels: { namespace: 'shop', service: 'cart' },
  state: 'firing',
  severity: 'critical',
  active_at: 1,
} as Alert

test('a silence of an alert covers it by all that names it', () => {
  expect(matchersOf(ALERT)).toEqual([
    { name: 'namespace', value: 'shop' },
    { name: 'service', value: 'cart' },
    { name: 'alert', value: 'builtin-errors' },
  ])
})

test('an alert leads to its service and its calls', () => {
  expect(serviceOf(ALERT)).toEqual({ namespace: 'shop', service: 'cart' })
  expect(callsOf(ALERT)).toBe('service:shop/cart')
  expect(callsOf({ ...ALERT, labels: { gateway: 'gw-1' } })).toBe('gateway:gw-1')
  expect(serviceOf({ ...ALERT, labels: {} })).toBeUndefined()
  expect(callsOf({ ...ALERT, labels: {} })).toBeUndefined()
})

test('only what fires and is not silenced looks bad', () => {
  expect(healthOfAlert(ALERT)).toBe('bad')
  expect(healthOfAlert({ ...ALERT, severity: 'warning' })).toBe('warn')
  expect(healthOfAlert({ ...ALERT, state: 'pending' })).toBe('unknown')
  expect(healthOfAlert({ ...ALERT, silenced_by: ['s'] })).toBe('idle')
  expect(healthOfAlert({ ...ALERT, state: 'resolved' })).toBe('idle')
})
