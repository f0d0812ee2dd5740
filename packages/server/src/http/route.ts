/**
 * Routes are declared with who may call them and the schemas of what goes in and out (T-10, T-13).
 * From the same declaration come the check, the parsing and the OpenAPI document.
 */
import { HoldfastError } from '@holdfast/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

export type Access = 'public' | 'operator' | 'host';
export const DEFAULT_BODY_LIMIT = 64 * 1024;

export interface Call<Principal, Params, Query, Body> {
  readonly principal: Principal;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export interface RouteDeclaration<
  Principal,
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/api/v1`, parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Left out for answers that are not JSON, or empty (204). */
  readonly response?: R;
  readonly bodyLimit?: number;
  handle(call: Call<Principal, z.output<P>, z.output<Q>, z.output<B>>): Promise<z.input<R>>;
}

export type RegisteredRoute = Omit<RouteDeclaration<never>, 'handle'> & { readonly access: Access };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** An app whose routes all say who may call them: one that does not fails the start (T-10). */
export function requireDeclaredAccess(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined) throw new TypeError(`route ${route.url} does not declare who may call it`);
  });
}

/** @throws `ERR_INPUT_INVALID` with the paths of every problem and no value */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map(({ path, code }) => `${path.join('.')} ${code}`.trim());
  throw new HoldfastError('the request is not valid', {
    code: 'ERR_INPUT_INVALID',
    fields: { paths: paths.join(', ').slice(0, 500) },
  });
}

const Nothing = z.strictObject({});

/** Declares routes of one access class. `authenticate` runs before anything of the request is parsed. */
export class Router<Principal> {
  readonly #app: FastifyInstance;
  readonly #access: Access;
  readonly #authenticate: (request: FastifyRequest) => Promise<Principal>;
  readonly #registry: RegisteredRoute[];

  constructor(
    app: FastifyInstance,
    access: Access,
    authenticate: (request: FastifyRequest) => Promise<Principal>,
    registry: RegisteredRoute[],
  ) {
    this.#app = app;
    this.#access = access;
    this.#authenticate = authenticate;
    this.#registry = registry;
  }

  add<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
    route: RouteDeclaration<Principal, P, Q, B, R>,
  ): this {
    this.#registry.push({ ...route, access: this.#access });
    const principals = new WeakMap<FastifyRequest, { readonly value: Principal }>();
    this.#app.route({
      method: route.method,
      url: `/api/v1${route.path}`,
      config: { access: this.#access },
      bodyLimit: route.bodyLimit ?? DEFAULT_BODY_LIMIT,
      // Before the body is read: a stranger's bytes are not worth parsing.
      onRequest: async (request) => {
        principals.set(request, { value: await this.#authenticate(request) });
      },
      handler: async (request, reply) => {
        const principal = principals.get(request);
        if (principal === undefined) throw new TypeError('a request reached its handler unauthenticated');
        const result = await route.handle({
          principal: principal.value,
          params: parseInput(route.params ?? Nothing, request.params ?? {}) as z.output<P>,
          query: parseInput(route.query ?? Nothing, request.query ?? {}) as z.output<Q>,
          body: parseInput(route.body ?? z.undefined(), request.body ?? undefined) as z.output<B>,
          request,
          reply,
        });
        if (reply.sent) return reply;
        if (result === undefined) return reply.status(204).send();
        return reply.header('cache-control', 'no-store').send(result);
      },
    });
    return this;
  }
}
