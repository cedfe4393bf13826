import { expect, test } from 'vitest'
import { carriesBytes, isAtEdge, policiesFor, protocolsOf, routesTo } from './concerning'
import type { Document } from './documents'

function document(kind: string, namespace: string, name: string, spec: object): Document {
  return { kind, metadata: { namespace, name }, spec } as Document
}

test('policies of the mesh, of the namespace and of the service, widest first', () => {
  const documents = [
    document('RateLimit', 'shop', 'own', { targets: [{ service: 'cart' }] }),
    document('RateLimit', 'shop', 'of-all-in-it', {}),
    document('RateLimit', 'mesh', 'of-all', {}),
    document('RateLimit', 'shop', 'another', { targets: [{ service: 'orders' }] }),
    document('RateLimit', 'bank', 'foreign', { targets: [{ service: 'cart' }] }),
  ]
  const found = policiesFor(documents, 'shop', 'cart')
  expect(found.map((one) => [one.document.metadata.name, one.width])).toEqual([
    ['of-all', 'mesh'],
    ['of-all-in-it', 'namespace'],
    ['own', 'service'],
  ])
})

test('Routes lead to a service of their own namespace unless they say another', () => {
  const routes = [
    document('Route', 'shop', 'near', {
      rules: [{ destinations: [{ service: 'cart' }] }, { name: 'b', destinations: [{ service: 'x' }] }],
    }),
    document('Route', 'edge', 'far', {
      rules: [{ name: 'to-cart', destinations: [{ service: 'cart', namespace: 'shop' }] }],
    }),
    document('Route', 'bank', 'other', { rules: [{ destinations: [{ service: 'cart' }] }] }),
  ]
  expect(routesTo(routes, 'shop', 'cart').map((one) => [one.document.metadata.name, one.rules])).toEqual([
    ['near', ['0']],
    ['far', ['to-cart']],
  ])
})

test('a Route shows its services at the edge unless it is for the mesh alone', () => {
  const written = [{}, { listeners: ['edge'] }, { listeners: ['mesh'] }, { listeners: ['mesh', 'partners'] }]
  expect(written.map((spec) => isAtEdge(document('Route', 'shop', 'one', spec)))).toEqual([true, true, false, true])
})

test('routes of connections and datagrams lead to a service as a whole', () => {
  const routes = [
    document('TcpRoute', 'shop', 'db', { listeners: ['db'], destinations: [{ service: 'db' }] }),
    document('UdpRoute', 'edge', 'game', { listeners: ['g'], destinations: [{ service: 'db', namespace: 'shop' }] }),
    document('TlsRoute', 'bank', 'other', { listeners: ['db'], hosts: ['*'], destinations: [{ service: 'db' }] }),
  ]
  expect(routesTo(routes, 'shop', 'db').map((one) => [one.document.metadata.name, one.rules])).toEqual([
    ['db', []],
    ['game', []],
  ])
})

test('a service of bytes is told by all of its ports, or by all routes to it', () => {
  const tcp = { document: document('TcpRoute', 'shop', 'db', {}) }
  const http = { document: document('Route', 'shop', 'web', {}) }
  expect(carriesBytes({}, [])).toBe(false)
  expect(carriesBytes({ ports: [{ protocol: 'tcp' }, { protocol: 'tls' }] }, [])).toBe(true)
  expect(carriesBytes({ ports: [{ protocol: 'tcp' }, {}] }, [])).toBe(false)
  expect(carriesBytes({ ports: [{ protocol: 'udp' }] }, [])).toBe(true)
  expect(carriesBytes({}, [tcp])).toBe(true)
  expect(carriesBytes({}, [tcp, http])).toBe(false)
})

test('what is spoken to a service is told by its ports and routes, and without either by its instances', () => {
  const udp = { document: document('UdpRoute', 'shop', 'world', {}), rules: [] }
  const rules = [{ name: 'talk', websocket: {} }, { websocket: { allow: false } }]
  const chat = { document: document('Route', 'shop', 'chat', { rules }), rules: ['talk'] }
  expect(protocolsOf({}, [], [])).toEqual([])
  expect(protocolsOf({}, [], [{ protocol: 'grpc' }, {}])).toEqual(['http', 'grpc'])
  expect(protocolsOf({ ports: [{ protocol: 'grpc' }, {}] }, [], [{ protocol: 'tcp' }])).toEqual(['http', 'grpc'])
  expect(protocolsOf({}, [udp], [{ protocol: 'http' }])).toEqual(['udp'])
  expect(protocolsOf({}, [chat], [{}])).toEqual(['http', 'websocket'])
  expect(protocolsOf({}, [{ ...chat, rules: ['1'] }], [{}])).toEqual(['http'])
})
