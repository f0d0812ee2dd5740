import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '../api.ts';

/** Shows a query's data, or that it is on its way, or why it will not come. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error !== null) return <Failure error={query.error} />;
  return (
    <p className="quiet" role="status">
      Loading…
    </p>
  );
}

export function Failure({ error }: { error: Error }) {
  const code = error instanceof ApiError ? error.code : 'ERR_PAGE';
  const requestId = error instanceof ApiError ? error.requestId : undefined;
  return (
    <div className="notice notice-bad" role="alert">
      <strong>{error.message}</strong> <code>{code}</code>
      {requestId === undefined ? null : <span className="quiet"> request {requestId}</span>}
    </div>
  );
}
