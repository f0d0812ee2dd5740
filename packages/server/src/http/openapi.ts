/** OpenAPI 3.1 from the declared routes (T-10): the document cannot say what the server does not do. */
import { ProblemSchema } from '@holdfast/api';
import { z } from 'zod';
import type { Access, RegisteredRoute } from './route.ts';

type JsonSchema = Readonly<Record<string, unknown>>;
const SECURITY: Record<Access, readonly Record<string, readonly string[]>[]> = {
  public: [],
  operator: [{ session: [] }, { token: [] }],
  host: [{ hostCertificate: [] }],
};

const toSchema = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};
const json = (schema: JsonSchema): JsonSchema => ({ 'application/json': { schema } });

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): JsonSchema[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = toSchema(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function describe(route: RegisteredRoute): JsonSchema {
  return {
    summary: route.summary,
    security: SECURITY[route.access],
    parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(toSchema(route.body, 'input')) } }),
    responses: {
      ...(route.response === undefined
        ? { '2XX': { description: 'Done' } }
        : { 200: { description: 'Done', content: json(toSchema(route.response, 'output')) } }),
      default: {
        description: 'Refused or failed',
        content: { 'application/problem+json': { schema: toSchema(ProblemSchema, 'output') } },
      },
    },
  };
}

export function buildOpenApi(routes: readonly RegisteredRoute[]): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    const path = `/api/v1${route.path.replace(/:([A-Za-z]+)/g, '{$1}').replace('*', '{path}')}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describe(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Holdfast control plane', version: '1' },
    paths,
    components: {
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'holdfast_session' },
        token: { type: 'http', scheme: 'bearer' },
        hostCertificate: { type: 'mutualTLS' },
      },
    },
  };
}
