/** What registers the same instance from a shell, by the command, or inside the program. */

export type Registration = {
  namespace: string
  service: string
  address: string
  port: number
  version: string
  zone: string
  ttl_s: number
}

export type Snippet = { id: 'cli' | 'curl' | 'sdk'; title: string; text: string }

export function snippets(form: Registration, registry: string): Snippet[] {
  return [
    { id: 'cli', title: 'CLI', text: cli(form, registry) },
    { id: 'curl', title: 'curl', text: curl(form, registry) },
    { id: 'sdk', title: 'Python', text: sdk(form, registry) },
  ]
}

function cli({ namespace, service, address, port, version, zone, ttl_s }: Registration, registry: string): string {
  const options = [
    `--registry ${quoted(registry)}`,
    `-n ${quoted(namespace)}`,
    `--port ${port}`,
    `--address ${quoted(address)}`,
    `--ttl ${ttl_s}`,
    ...(version ? [`--version ${quoted(version)}`] : []),
    ...(zone ? [`--zone ${quoted(zone)}`] : []),
  ]
  return `meshway register ${quoted(service || 'SERVICE')} ${options.join(' \\\n  ')}`
}

function curl(form: Registration, registry: string): string {
  const { namespace, service, ...body } = form
  const id = `${service || 'SERVICE'}-1`
  const url = `${registry}/v1/namespaces/${namespace}/services/${service || 'SERVICE'}/instances/${id}`
  return [
    `curl -X PUT ${quoted(url)} \\`,
    `  -d ${quoted(JSON.stringify(body))}`,
    `# and again before ${form.ttl_s} s are over:`,
    `curl -X PUT ${quoted(`${url}/heartbeat`)}`,
  ].join('\n')
}

function sdk({ namespace, service, address, port, version, zone }: Registration, registry: string): string {
  const named = [
    ...(version ? [`version=${JSON.stringify(version)}`] : []),
    ...(zone ? [`zone=${JSON.stringify(zone)}`] : []),
  ]
  return [
    `# MESHWAY_URL=${registry} MESHWAY_NAMESPACE=${namespace} MESHWAY_ADDRESS=${address}`,
    'from meshway.client import Mesh',
    '',
    'mesh = Mesh.from_env()',
    `with mesh.register(${[JSON.stringify(service || 'SERVICE'), port, ...named].join(', ')}) as me:`,
    '    serve()  # your program',
  ].join('\n')
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
