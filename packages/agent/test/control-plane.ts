/** A control plane for tests: real TLS sockets, the agent API over memory, and faults on demand. */
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { IngestResult } from '@holdfast/api';
import type { CheckinRequest, OrderResult } from '../src/ports.ts';
import { type Issued, TestCa } from './test-ca.ts';

export type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> };
export type Handler = (path: string, body: string, request: IncomingMessage) => Answer | 'hang' | 'reset' | undefined;

export interface ControlPlaneOptions {
  readonly ca?: TestCa;
  readonly certificate?: Issued;
  readonly port?: number;
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Without the CA in the chain a host cannot enrol. */
  readonly sendsCa?: boolean;
}

export class ControlPlane implements AsyncDisposable {
  readonly ca: TestCa;
  /** Bytes by bundle id, and how often each was newly accepted. */
  readonly bundles = new Map<string, string>();
  readonly accepted: string[] = [];
  readonly checkins: CheckinRequest[] = [];
  readonly results: { orderId: string; result: OrderResult }[] = [];
  orders: string[] = [];
  checkpoint: string | null = null;
  requests = 0;
  connections = 0;
  /** Looks at each request first; answers instead of the server when it wants to. */
  intercept: Handler = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();

  private constructor(ca: TestCa, { certificate, maxVersion, sendsCa = true }: ControlPlaneOptions) {
    this.ca = ca;
    const { certificatePem, keyPem } = certificate ?? ca.issueServer();
    this.#server = createServer(
      {
        cert: sendsCa ? certificatePem + ca.certificatePem : certificatePem,
        key: keyPem,
        ca: ca.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: maxVersion ?? 'TLSv1.3',
        maxVersion: maxVersion ?? 'TLSv1.3',
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.on('connection', () => {
      this.connections++;
    });
    this.#server.on('tlsClientError', () => undefined); // peers refuse us on purpose here
    this.#server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // peers break off on purpose here
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const plane = new ControlPlane(options.ca ?? new TestCa(), options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    plane.#server.once('error', reject);
    plane.#server.listen(options.port ?? 0, '127.0.0.1', resolve);
    await promise;
    return plane;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return; // the client went away
    }
    this.requests++;
    const path = request.url ?? '';
    const body = Buffer.concat(chunks).toString('utf8');
    const answer = this.intercept(path, body, request) ?? this.#answer(path, body, request);
    if (answer === 'hang') return;
    if (answer === 'reset') {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
  }

  #answer(path: string, body: string, request: IncomingMessage): Answer {
    if (path === '/api/v1/enroll') return { status: 404 };
    if (!(request.socket as TLSSocket).authorized) return { status: 401, body: { code: 'ERR_NO_CERTIFICATE' } };
    if (path === '/api/v1/agent/checkin') {
      this.checkins.push(JSON.parse(body) as CheckinRequest);
      const serverTime = new Date().toISOString();
      return { status: 200, body: { serverTime, orders: this.orders, checkpoint: this.checkpoint } };
    }
    if (path === '/api/v1/agent/evidence') {
      const { bundles } = JSON.parse(body) as { bundles: { bundleId: string; envelope: string }[] };
      return { status: 200, body: { results: bundles.map((bundle) => this.#ingest(bundle)) } };
    }
    if (path === '/api/v1/agent/renew') {
      const { csrPem } = JSON.parse(body) as { csrPem: string };
      return { status: 200, body: { certificatePem: this.ca.issueFor(csrPem) } };
    }
    const order = /^\/api\/v1\/agent\/orders\/([^/]+)\/result$/.exec(path)?.[1];
    if (order !== undefined) {
      this.results.push({ orderId: decodeURIComponent(order), result: JSON.parse(body) as OrderResult });
      this.orders = [];
      return { status: 204, body: '' };
    }
    return { status: 404, body: { code: 'ERR_NOT_FOUND' } };
  }

  #ingest({ bundleId, envelope }: { bundleId: string; envelope: string }): IngestResult {
    const known = this.bundles.get(bundleId);
    const index = this.accepted.length;
    const receipt = { code: null, index, leafHash: '0'.repeat(64), promise: 'cHJvbWlzZQ==' };
    if (known === envelope) return { bundleId, status: 'duplicate', ...receipt };
    if (known !== undefined)
      return { bundleId, status: 'conflict', code: 'ERR_CONFLICT', index: null, leafHash: null, promise: null };
    this.bundles.set(bundleId, envelope);
    this.accepted.push(bundleId);
    return { bundleId, status: 'accepted', ...receipt };
  }
}
