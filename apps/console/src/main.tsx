import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api.ts';
import { createConsoleRouter } from './router.tsx';
import './style/base.css';
import './style/parts.css';
import './style/track.css';
import './style/gate.css';

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // The socket says when something changed; this is only the net below it.
      refetchInterval: 30_000,
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});
const router = createConsoleRouter(queryClient);

/** A session that ended while the page was open leads back to sign-in. */
queryClient.getQueryCache().subscribe(({ query }) => {
  const { error } = query.state;
  if (error instanceof ApiError && error.status === 401 && router.state.location.pathname !== '/login') {
    queryClient.clear();
    void router.navigate({ to: '/login' });
  }
});

const root = document.querySelector('#root');
if (root === null) throw new TypeError('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
