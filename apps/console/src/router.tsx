/** Every page and its address. Pages behind the shell need a session; without one they lead to sign-in. */
import type { Session } from '@holdfast/api';
import type { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, Outlet, redirect } from '@tanstack/react-router';
import { api, ApiError } from './api.ts';
import { EvidenceListPage } from './pages/evidence-list.tsx';
import { EvidencePage } from './pages/evidence.tsx';
import { GatePage } from './pages/gate.tsx';
import { GatesPage } from './pages/gates.tsx';
import { HomePage } from './pages/home.tsx';
import { HostPage } from './pages/host.tsx';
import { HostsPage } from './pages/hosts.tsx';
import { LoginPage } from './pages/login.tsx';
import { TrustPage } from './pages/trust.tsx';
import { Failure } from './parts/loaded.tsx';
import { Shell } from './shell.tsx';

interface Context {
  readonly queryClient: QueryClient;
}

const rootRoute = createRootRouteWithContext<Context>()({
  component: Outlet,
  errorComponent: ({ error }) => <Failure error={error instanceof Error ? error : new Error('the page failed')} />,
  notFoundComponent: () => (
    <main className="login">
      <h1>There is no such page</h1>
      <p>
        <a href="/">Home</a>
      </p>
    </main>
  ),
});

const loginRoute = createRoute({ getParentRoute: () => rootRoute, path: '/login', component: LoginPage });

const shellRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'shell',
  beforeLoad: async ({ context }): Promise<{ session: Session }> => {
    try {
      return { session: await context.queryClient.ensureQueryData({ queryKey: ['session'], queryFn: api.session }) };
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) redirect({ to: '/login', throw: true });
      throw error;
    }
  },
  component: function ShellWithSession() {
    return <Shell session={shellRoute.useRouteContext().session} />;
  },
});

const routes = [
  createRoute({ getParentRoute: () => shellRoute, path: '/', component: HomePage }),
  createRoute({ getParentRoute: () => shellRoute, path: '/hosts', component: HostsPage }),
  createRoute({ getParentRoute: () => shellRoute, path: '/hosts/$hostId', component: HostPage }),
  createRoute({ getParentRoute: () => shellRoute, path: '/gates', component: GatesPage }),
  createRoute({ getParentRoute: () => shellRoute, path: '/gates/$gate', component: GatePage }),
  createRoute({ getParentRoute: () => shellRoute, path: '/evidence', component: EvidenceListPage }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/evidence/$bundleId',
    component: function EvidenceWithSession() {
      return <EvidencePage session={shellRoute.useRouteContext().session} />;
    },
  }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/trust',
    component: function TrustWithSession() {
      return <TrustPage session={shellRoute.useRouteContext().session} />;
    },
  }),
] as const;

export function createConsoleRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: rootRoute.addChildren([loginRoute, shellRoute.addChildren([...routes])]),
    context: { queryClient },
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>;
  }
}
