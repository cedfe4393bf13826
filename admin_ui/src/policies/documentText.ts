import { parseDocument, stringify } from 'yaml'
import type { Document, Kind } from '../api/documents'

// What the registry adds, and would take as written by hand.
const TOLD = ['revision', 'created_at', 'updated_at', 'updated_by', 'source']

/** A document as people write it. */
export function yamlOf(document: Document): string {
  const metadata = Object.fromEntries(Object.entries(document.metadata).filter(([key]) => !TOLD.includes(key)))
  const { apiVersion = 'meshway/v1', kind, spec } = document
  return stringify({ apiVersion, kind, metadata, spec }, { lineWidth: 110 })
}

const SPECS: Partial<Record<Kind, unknown>> = {
  Route: { hosts: ['books.example'], rules: [{ destinations: [{ service: 'books' }] }] },
  TcpRoute: { listeners: ['books-tcp'], destinations: [{ service: 'books' }] },
  TlsRoute: { listeners: ['books-tls'], hosts: ['books.example'], destinations: [{ service: 'books' }] },
  UdpRoute: { listeners: ['books-udp'], destinations: [{ service: 'books' }] },
  Listener: { protocol: 'http', port: 8582 },
  DescriptorSet: { data: '' },
  TrafficPolicy: { targets: [{ service: 'books' }], timeouts: { attempt: '2s' } },
  RateLimit: { targets: [{ service: 'books' }], key: ['source_ip'], token_bucket: { rate: '100/s' } },
  Authentication: { methods: [{ api_key: {} }] },
  AccessPolicy: { targets: [{ service: 'books' }], rules: [{ action: 'allow', from: [{ namespace: 'default' }] }] },
  Service: { description: '', ports: [{ port: 80 }] },
  IpList: { entries: [{ cidr: '192.0.2.0/24' }] },
}

/** What a new one begins with: valid but for the name, and for what only a file of one's own has. */
export function blank(kind: Kind, namespace: string): string {
  return stringify({ apiVersion: 'meshway/v1', kind, metadata: { name: '', namespace }, spec: SPECS[kind] ?? {} })
}

/** The first thing that makes it no YAML, with its line; null: it can be read. */
export function faultOf(text: string): { line: number; message: string } | null {
  const [fault] = parseDocument(text).errors
  if (fault === undefined) return null
  return { line: fault.linePos?.[0]?.line ?? 1, message: fault.message.split('\n')[0] ?? fault.message }
}

/** The same, to be named anew. */
export function likeOf(document: Document): string {
  const { labels, annotations, namespace } = document.metadata
  return yamlOf({ ...document, metadata: { name: '', namespace, labels, annotations } as Document['metadata'] })
}

/** Who keeps a document marked `managed_by`, and where; null: people do, here. */
export function managerOf({ metadata }: Document): { by: string; link: string } | null {
  const by = metadata.labels?.managed_by
  if (!by) return null
  const { source } = metadata
  return { by, link: metadata.annotations?.source_url ?? (source ? `${source.file}:${source.line}` : '') }
}
