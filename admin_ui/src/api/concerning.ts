import type { Document, Kind } from './documents'

/** Kinds that apply to what they name, in the order in which a gateway runs them on a call. */
export const POLICY_KINDS = ['Authentication', 'AccessPolicy', 'RateLimit', 'TrafficPolicy'] as const satisfies Kind[]

/** Kinds that lead to services: calls, connections, datagrams. */
export const ROUTE_KINDS = ['Route', 'TcpRoute', 'TlsRoute', 'UdpRoute'] as const satisfies Kind[]

type Target = {
  mesh?: boolean
  namespace?: string
  service?: string
  subset?: string
  port?: string
  route?: string
  rule?: string
}

const MESH = 'mesh'

/** How specific a target is; the narrower one is shown after the wider. */
const WIDTHS = ['mesh', 'namespace', 'service', 'route'] as const
export type Width = (typeof WIDTHS)[number]

export type InForce = { document: Document; width: Width; target: string }

/** Without targets a policy is for its namespace, in the namespace `mesh` for all. */
export function targetsOf(document: Document): Target[] {
  const own = document.metadata.namespace ?? 'default'
  const written = (document.spec as { targets?: Target[] }).targets
  if (written && written.length > 0) return written
  return [own === MESH ? { mesh: true } : { namespace: own }]
}

export function targetText(target: Target): string {
  if (target.mesh) return 'mesh'
  if (target.namespace) return `namespace ${target.namespace}`
  if (target.route) return `route ${target.route}${target.rule ? ` rule ${target.rule}` : ''}`
  const part = target.subset ? ` subset ${target.subset}` : target.port ? ` port ${target.port}` : ''
  return `service ${target.service}${part}`
}

/** The policies that speak for a service, of one kind: widest first. */
export function policiesFor(documents: readonly Document[], namespace: string, service: string): InForce[] {
  const found: InForce[] = []
  for (const document of documents) {
    const own = document.metadata.namespace
    for (const target of targetsOf(document)) {
      const width = widthFor(target, own, namespace, service)
      if (width) found.push({ document, width, target: targetText(target) })
    }
  }
  return found.sort((a, b) => WIDTHS.indexOf(a.width) - WIDTHS.indexOf(b.width))
}

function widthFor(target: Target, own: string | undefined, namespace: string, service: string): Width | null {
  if (target.mesh) return 'mesh'
  if (target.namespace === namespace) return 'namespace'
  return target.service === service && own === namespace ? 'service' : null
}

type Destination = { service: string; namespace?: string; weight?: number }
type Rule = { name?: string; destinations?: Destination[] }

/** Whether callers outside are served by a Route: one that names no listeners is for `edge`, all but `mesh` are the edge's. */
export function isAtEdge(route: Document): boolean {
  const listeners = (route.spec as { listeners?: string[] }).listeners ?? []
  return listeners.length === 0 || listeners.some((one) => one !== MESH)
}

/** Routes of whichever namespace that lead to the service, with the names of the rules that do: none of a route of bytes. */
export function routesTo(routes: readonly Document[], namespace: string, service: string) {
  return routes.flatMap((document) => {
    const { rules = [], destinations } = document.spec as Rule & { rules?: Rule[] }
    const leadsHere = ({ destinations: to = [] }: Rule) =>
      to.some((one) => one.service === service && (one.namespace ?? document.metadata.namespace) === namespace)
    if (destinations) return leadsHere({ destinations }) ? [{ document, rules: [] as string[] }] : []
    const found = rules.flatMap((rule, at) => (leadsHere(rule) ? [rule.name ?? String(at)] : []))
    return found.length > 0 ? [{ document, rules: found }] : []
  })
}

const OF_BYTES = ['tcp', 'tls', 'udp']
const SPOKEN = ['http', 'http2', 'grpc', 'websocket', 'tcp', 'tls', 'udp'] as const
export type Spoken = (typeof SPOKEN)[number]
const OF_ROUTES: Record<string, Spoken> = { TcpRoute: 'tcp', TlsRoute: 'tls', UdpRoute: 'udp' }

/** What is spoken to a service: by its ports, by routes that lead to it, and where neither tells, by its instances. */
export function protocolsOf(
  spec: object,
  here: ReturnType<typeof routesTo>,
  instances: readonly { protocol?: string }[],
): Spoken[] {
  const { ports = [] } = spec as { ports?: { protocol?: string }[] }
  const found = new Set<string>(ports.map(({ protocol }) => protocol ?? 'http'))
  for (const { document, rules: names } of here) {
    const kind = OF_ROUTES[document.kind]
    if (kind) found.add(kind)
    const { rules = [] } = document.spec as { rules?: (Rule & { websocket?: { allow?: boolean } })[] }
    const isOfMessages = rules.some(
      ({ name, websocket }, at) => names.includes(name ?? String(at)) && websocket && websocket.allow !== false,
    )
    if (isOfMessages) found.add('websocket')
  }
  if (![...found].some((one) => one !== 'websocket')) {
    for (const { protocol } of instances) found.add(protocol ?? 'http')
  }
  return SPOKEN.filter((one) => found.has(one))
}

/** Whether what is carried to a service is bytes and no calls, by its ports and by the routes that lead to it. */
export function carriesBytes(spec: object, here: readonly { document: Document }[]): boolean {
  const { ports = [] } = spec as { ports?: { protocol?: string }[] }
  const isOfBytes = ({ protocol }: { protocol?: string }) => OF_BYTES.includes(protocol ?? '')
  if (ports.length > 0 && ports.every(isOfBytes)) return true
  return here.length > 0 && here.every(({ document }) => document.kind !== 'Route')
}
