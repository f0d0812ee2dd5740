import type { Session } from '@holdfast/api';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { api } from './api.ts';
import { useLive } from './live.ts';
import { NowProvider } from './parts/age.tsx';
import { Badge } from './parts/badge.tsx';

const PLACES = [
  { to: '/', name: 'Home' },
  { to: '/hosts', name: 'Hosts' },
  { to: '/evidence', name: 'Evidence' },
  { to: '/gates', name: 'Gates' },
  { to: '/trust', name: 'Keys' },
] as const;

/** What stands around every page of a signed-in person. */
export function Shell({ session }: { session: Session }) {
  const live = useLive();
  const client = useQueryClient();
  const navigate = useNavigate();
  const signOut = useMutation({
    mutationFn: api.signOut,
    onSettled: async () => {
      client.clear();
      await navigate({ to: '/login' });
    },
  });
  return (
    <NowProvider>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="bar">
        <Link to="/" className="brand">
          <img src="/favicon.svg" alt="" width="24" height="24" /> Holdfast
        </Link>
        <nav aria-label="Main">
          {PLACES.map(({ to, name }) => (
            <Link key={to} to={to} activeOptions={{ exact: to === '/' }} activeProps={{ 'aria-current': 'page' }}>
              {name}
            </Link>
          ))}
        </nav>
        <span className="bar-end">
          <span role="status">
            <Badge state={live} />
          </span>
          <span className="quiet org">
            {session.orgName} · {session.user}
          </span>
          <button type="button" onClick={() => signOut.mutate()}>
            Sign out
          </button>
        </span>
      </header>
      {live === 'stale' ? (
        <p className="notice notice-warn stale" role="alert">
          The connection to the server is lost: what you see may be out of date. Reconnecting…
        </p>
      ) : null}
      <main id="content" tabIndex={-1}>
        <Outlet />
      </main>
    </NowProvider>
  );
}
