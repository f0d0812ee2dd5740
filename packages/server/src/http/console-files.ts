/** Serves the console: read into memory at start, so that no path of a request ever meets the file system. */
import type { FastifyInstance } from 'fastify';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
const PLACEHOLDER = '<!doctype html><title>Holdfast</title><p>The console was not built. The API is at /api/v1.</p>';

/** W-01: nothing inline, nothing from elsewhere. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

interface ConsoleFile {
  readonly body: Buffer;
  /** Made once at the start; a page of a few hundred kilobytes is a fourth of it. */
  readonly gzip: Buffer;
  readonly type: string;
  readonly etag: string;
}
const fileOf = (body: Buffer, name: string): ConsoleFile => ({
  body,
  gzip: gzipSync(body),
  type: TYPES[extname(name)] ?? 'application/octet-stream',
  etag: `W/"${createHash('sha256').update(body).digest('base64url')}"`,
});

function readFiles(directory: string | undefined): Map<string, ConsoleFile> {
  if (directory === undefined || !existsSync(join(directory, 'index.html')))
    return new Map([['/index.html', fileOf(Buffer.from(PLACEHOLDER), 'index.html')]]);
  return new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [`/${relative(directory, path)}`, fileOf(readFileSync(path), path)]),
  );
}

export function serveConsole(app: FastifyInstance, directory: string | undefined): void {
  const files = readFiles(directory);
  app.get('/*', { config: { access: 'public' } }, (request, reply) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    // Everything that is no file is a page of the single-page app; unknown API addresses are not.
    const file = path.startsWith('/api/') ? undefined : (files.get(path) ?? files.get('/index.html'));
    if (file === undefined) return reply.callNotFound();
    reply
      .header('etag', file.etag)
      .header('cache-control', path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
    if (request.headers['if-none-match'] === file.etag) return reply.status(304).send();
    reply.type(file.type).header('vary', 'accept-encoding');
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(file.body);
    return reply.header('content-encoding', 'gzip').send(file.gzip);
  });
}
