/** Every key of the Query cache, so that live.ts and the pages speak of the same entries. */
export const keys = {
  session: ['session'] as const,
  providers: ['providers'] as const,
  namespaces: ['namespaces'] as const,
  services: (namespace: string) => ['services', namespace] as const,
  instances: (namespace: string, service: string) => ['instances', namespace, service] as const,
  documents: (kind: string) => ['documents', kind] as const,
  document: (kind: string, namespace: string, name: string) => ['documents', kind, namespace, name] as const,
  revisions: ['revisions'] as const,
  gateways: ['gateways'] as const,
  insight: ['insight'] as const,
  requests: ['requests'] as const,
  tokens: ['tokens'] as const,
  audit: ['audit'] as const,
  identity: ['identity'] as const,
  users: ['users'] as const,
  bindings: ['bindings'] as const,
}
