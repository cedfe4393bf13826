import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  retainSearchParams,
} from '@tanstack/react-router'
import { mapSearch } from './map/search'
import { Fault, NotFound, Root } from './shell/Root'

// What the registry tells numbers of.
const SHORTEST_S = 10
const LONGEST_S = 90 * 86_400

/** What the whole page looks at; kept on every way within the console. at: seconds since 1970. */
export type View = { namespace?: string; at?: number; window_s?: number }

function viewOf(search: Record<string, unknown>): View {
  const view: View = {}
  if (typeof search.namespace === 'string' && search.namespace) view.namespace = search.namespace
  if (typeof search.at === 'number' && search.at > 0) view.at = search.at
  const { window_s } = search
  if (typeof window_s === 'number' && window_s >= SHORTEST_S && window_s <= LONGEST_S) view.window_s = window_s
  return view
}

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: Root,
  notFoundComponent: NotFound,
  errorComponent: Fault,
  validateSearch: viewOf,
  search: { middlewares: [retainSearchParams(['namespace', 'at', 'window_s'])] },
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
    path: '/map',
    validateSearch: mapSearch,
    component: lazyRouteComponent(() => import('./map/Page'), 'MapPage'),
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
    path: '/requests',
    validateSearch: (search: Record<string, unknown>): { filter?: string; live?: boolean } => ({
      ...(typeof search.filter === 'string' && search.filter ? { filter: search.filter } : {}),
      ...(search.live === true ? { live: true } : {}),
    }),
    component: lazyRouteComponent(() => import('./requests/Page'), 'RequestsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/requests/$id',
    component: lazyRouteComponent(() => import('./requests/RequestPage'), 'RequestPage'),
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
    validateSearch: (search: Record<string, unknown>): { change?: number; like?: string } => ({
      ...(typeof search.change === 'number' ? { change: search.change } : {}),
      ...(typeof search.like === 'string' ? { like: search.like } : {}),
    }),
    component: lazyRouteComponent(() => import('./policies/DocumentPage'), 'DocumentPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/rollouts',
    component: lazyRouteComponent(() => import('./rollouts/Page'), 'RolloutsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/rollouts/$namespace/$rollout',
    component: lazyRouteComponent(() => import('./rollouts/RolloutPage'), 'RolloutPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/changes',
    component: lazyRouteComponent(() => import('./changes/Page'), 'ChangesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/changes/$revision',
    component: lazyRouteComponent(() => import('./changes/EntryPage'), 'EntryPage'),
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
    path: '/consumers',
    component: lazyRouteComponent(() => import('./consumers/Page'), 'ConsumersPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/consumers/$namespace/$consumer',
    component: lazyRouteComponent(() => import('./consumers/ConsumerPage'), 'ConsumerPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/certificates',
    component: lazyRouteComponent(() => import('./certificates/Page'), 'CertificatesPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/alerts',
    validateSearch: (search: Record<string, unknown>): { tab?: string; alert?: string } => ({
      ...(typeof search.tab === 'string' && search.tab ? { tab: search.tab } : {}),
      ...(typeof search.alert === 'string' && search.alert ? { alert: search.alert } : {}),
    }),
    component: lazyRouteComponent(() => import('./alerts/Page'), 'AlertsPage'),
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
