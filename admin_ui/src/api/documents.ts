import { queryOptions } from '@tanstack/react-query'
import { api, everyPage, type Schemas, take, whole } from './client'
import { keys } from './keys'

export type Document = Schemas['Document']

const EVERY = '-'
const PAGE = 1000

/** Every kind of documents with its plural in paths, in the order people look for them. */
export const PLURALS = {
  Service: 'services',
  Route: 'routes',
  TcpRoute: 'tcp-routes',
  TlsRoute: 'tls-routes',
  UdpRoute: 'udp-routes',
  TrafficPolicy: 'traffic-policies',
  RateLimit: 'rate-limits',
  Authentication: 'authentications',
  AccessPolicy: 'access-policies',
  IpList: 'ip-lists',
  Consumer: 'consumers',
  Secret: 'secrets',
  DescriptorSet: 'descriptor-sets',
  Listener: 'listeners',
  Certificate: 'certificates',
  MeshSettings: 'mesh-settings',
  AccessLog: 'access-logs',
  Telemetry: 'telemetries',
  Alert: 'alerts',
  Objective: 'objectives',
  Rollout: 'rollouts',
  Receiver: 'receivers',
  Namespace: 'namespaces',
} as const
export type Kind = keyof typeof PLURALS

/** Where a new one is written: some kinds live in the namespace `mesh` alone. */
export function homeOf(kind: Kind, namespace: string | undefined): string {
  return kind === 'Listener' || kind === 'MeshSettings' || kind === 'Namespace' ? 'mesh' : (namespace ?? 'default')
}

export function isKind(text: string): text is Kind {
  return text in PLURALS
}

/** All of a kind in all namespaces that may be read: pages choose from these, so one entry serves many pages. */
export const documentsQuery = (kind: Kind) =>
  queryOptions({
    queryKey: keys.documents(kind),
    queryFn: () =>
      everyPage((cursor) =>
        take(
          api.GET('/v1/namespaces/{namespace}/{plural}', {
            params: { path: { namespace: EVERY, plural: PLURALS[kind] }, query: { limit: PAGE, cursor } },
          }),
        ),
      ),
  })

/** One document with the tag by which a later write says what it was made from. */
export const documentQuery = (kind: Kind, namespace: string, name: string) =>
  queryOptions({
    queryKey: keys.document(kind, namespace, name),
    queryFn: async () => {
      const { data, response } = await whole(
        api.GET('/v1/namespaces/{namespace}/{plural}/{name}', {
          params: { path: { namespace, plural: PLURALS[kind], name } },
        }),
      )
      return { document: data as Document, etag: response.headers.get('etag') ?? '' }
    },
  })

export type Foreseen = Schemas['Foreseen']

/** What an apply of this YAML or JSON would change, and whom. Throws ApiProblem. */
export function foresee(text: string): Promise<Foreseen> {
  return take(
    api.POST('/v1/apply', {
      params: { query: { dry_run: true } },
      body: text as never,
      bodySerializer: (body: unknown) => body as string,
      headers: { 'Content-Type': 'application/yaml' },
    }),
  ) as Promise<Foreseen>
}

/** Replaces one document; etag: what it was made from, '' for a new one. Throws ApiProblem, 412 when it moved. */
export async function put(document: Document, etag: string): Promise<Response> {
  const { namespace = 'default', name } = document.metadata
  const precondition: Record<string, string> = etag ? { 'If-Match': etag } : { 'If-None-Match': '*' }
  const { response } = await whole(
    api.PUT('/v1/namespaces/{namespace}/{plural}/{name}', {
      params: { path: { namespace, plural: PLURALS[document.kind as Kind], name } },
      body: document as never,
      headers: precondition,
    }),
  )
  return response
}

export function remove(kind: Kind, namespace: string, name: string, etag: string) {
  return take(
    api.DELETE('/v1/namespaces/{namespace}/{plural}/{name}', {
      params: { path: { namespace, plural: PLURALS[kind], name } },
      headers: { 'If-Match': etag },
    }),
  )
}
