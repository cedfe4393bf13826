import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  retainSearchParams,
} from '@tanstack/react-router'
import { WINDOWS_S } from './api/insight'
import { Fault, NotFound, Root } from './shell/Root'

/** What the whole page looks at; kept on every way within the console. */
export type View = { namespace?: string; window_s?: number }

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: Root,
  notFoundComponent: NotFound,
  errorComponent: Fault,
  validateSearch: ({ namespace, window_s }: Record<string, unknown>): View => ({
    ...(typeof namespace === 'string' && namespace ? { namespace } : {}),
    ...(WINDOWS_S.some((one) => one === window_s) ? { window_s: window_s as number } : {}),
  }),
  search: { middlewares: [retainSearchParams(['namespace', 'window_s'])] },
})

/** The one list of pages. Each is a file of its own that is loaded when it is first opened. */
const pages = [
  createRoute({
    getParentRoute: () => root,
    path: '/',
    component: lazyRouteComponent(() => import('./overview/Page'), 'OverviewPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/services',
    component: lazyRouteComponent(() => import('./services/Page'), 'ServicesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/services/register',
    validateSearch: (search: Record<string, unknown>): { service?: string } =>
      typeof search.service === 'string' ? { service: search.service } : {},
    component: lazyRouteComponent(() => import('./services/RegisterPage'), 'RegisterPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/services/$namespace/$service',
    component: lazyRouteComponent(() => import('./services/ServicePage'), 'ServicePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/routes',
    component: lazyRouteComponent(() => import('./policies/Page'), 'RoutesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/policies/$kind',
    component: lazyRouteComponent(() => import('./policies/Page'), 'PoliciesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/policies/$kind/$namespace/$name',
    component: lazyRouteComponent(() => import('./policies/DocumentPage'), 'DocumentPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/changes',
    component: lazyRouteComponent(() => import('./changes/Page'), 'ChangesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/changes/$revision',
    component: lazyRouteComponent(() => import('./changes/RevisionPage'), 'RevisionPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/gateways',
    component: lazyRouteComponent(() => import('./gateways/Page'), 'GatewaysPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/explain',
    component: lazyRouteComponent(() => import('./explain/Page'), 'ExplainPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/certificates',
    component: lazyRouteComponent(() => import('./certificates/Page'), 'CertificatesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/audit',
    component: lazyRouteComponent(() => import('./audit/Page'), 'AuditPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings',
    component: lazyRouteComponent(() => import('./settings/Page'), 'SettingsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/setup',
    component: lazyRouteComponent(() => import('./shell/SetupPage'), 'SetupPage'),
  }),
] as const

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: root.addChildren(pages),
    context: { client },
    defaultPreload: 'intent',
    scrollRestoration: true,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
