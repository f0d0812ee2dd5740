/**
 * The page's only way to the control plane: the public API, as any token may use it (W-01). Every
 * failure becomes an `ApiError` with the problem's code; nothing else is thrown.
 */
import type {
  Attention,
  EnrollmentToken,
  EvidenceDetail,
  EvidenceRow,
  GateRow,
  GateView,
  HostFinding,
  HostView,
  InclusionProof,
  Problem,
  Remediation,
  Session,
  Summary,
  TimelineEntry,
  TrustView,
} from '@holdfast/api';

const BASE = '/api/v1';

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | undefined;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.title ?? 'The server did not answer as expected');
    this.status = status;
    this.code = problem.code ?? `HTTP_${status}`;
    this.requestId = problem.requestId;
  }
}

/** Set at sign-in; sent with every mutation. Lives in memory only. */
let csrfToken = '';

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') headers['x-csrf-token'] = csrfToken;
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, { code: 'UNREACHABLE', title: 'The server cannot be reached' });
  }
  if (!response.ok) throw new ApiError(response.status, await readProblem(response));
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

async function readProblem(response: Response): Promise<Partial<Problem>> {
  try {
    return (await response.json()) as Partial<Problem>;
  } catch {
    return {}; // a proxy's HTML page, say: the status alone has to do
  }
}

function query(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries.map(([name, value]) => [name, String(value)]))}`;
}

function remember(session: Session): Session {
  csrfToken = session.csrfToken;
  return session;
}

export interface EvidenceFilter {
  readonly hostId?: string | undefined;
  readonly check?: string | undefined;
  readonly outcome?: string | undefined;
  readonly kind?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly cursor?: string | undefined;
}

export interface HostFilter {
  readonly q?: string | undefined;
  /** `name=value`, or `name` for any value. */
  readonly label?: string | undefined;
  readonly state?: string | undefined;
  readonly cursor?: string | undefined;
}

export const api = {
  session: async () => remember(await call<Session>('GET', '/session')),
  signInWithCode: async (code: string) => remember(await call<Session>('POST', '/session', { code })),
  signIn: async (user: string, password: string) =>
    remember(await call<Session>('POST', '/session', { user, password })),
  signOut: () => call<void>('DELETE', '/session'),
  summary: () => call<Summary>('GET', '/summary'),
  attention: () => call<Page<Attention>>('GET', '/attention'),
  hosts: (filter: HostFilter) => call<Page<HostView>>('GET', `/hosts${query({ ...filter, limit: 100 })}`),
  host: (hostId: string) => call<HostView>('GET', `/hosts/${hostId}`),
  findings: (hostId: string) => call<Page<HostFinding>>('GET', `/hosts/${hostId}/findings`),
  timeline: (hostId: string) => call<Page<TimelineEntry>>('GET', `/hosts/${hostId}/timeline?limit=100`),
  remediations: (filter: { hostId?: string | undefined; open?: string | undefined }) =>
    call<Page<Remediation>>('GET', `/remediations${query(filter)}`),
  evidence: (filter: EvidenceFilter) => call<Page<EvidenceRow>>('GET', `/evidence${query({ ...filter, limit: 50 })}`),
  evidenceDetail: (bundleId: string) => call<EvidenceDetail>('GET', `/evidence/${bundleId}`),
  inclusionProof: (bundleId: string) => call<InclusionProof>('GET', `/log/proof${query({ bundleId })}`),
  trust: () => call<TrustView>('GET', '/trust'),
  gates: () => call<Page<GateRow>>('GET', '/gates'),
  gate: (gate: string) => call<GateView>('GET', `/gates/${gate}`),
  createEnrollmentToken: () => call<EnrollmentToken>('POST', '/enrollment-tokens', {}),
};
