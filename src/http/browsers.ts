// What browsers are told and asked: which pages of other origins may call, and that nothing here is to be kept, framed,
// sniffed or run.

import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import { ChatError } from '../chat/errors.ts';

export interface BrowserRules {
  /** Exactly as browsers send them. */
  readonly origins: readonly string[];
  /** Whether pages may send cookies: what a gateway knows its users by. */
  readonly takesCookies: boolean;
}

const ALLOWED = [
  ...['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'Last-Event-ID', 'Prefer', 'traceparent'],
  ...['tracestate', 'x-api-key'],
];
const EXPOSED = [
  ...['Location', 'Turn-Id', 'ETag', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'Preference-Applied'],
  ...['WWW-Authenticate', 'x-should-retry'],
];
const PREFLIGHT_S = 600;
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

export async function guardBrowsers(app: FastifyInstance, { origins, takesCookies }: BrowserRules): Promise<void> {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    // Whether there is TLS, and for which names, is known by whoever ends it.
    strictTransportSecurity: false,
    // Answers are read by pages of other origins, where CORS lets them.
    crossOriginResourcePolicy: { policy: origins.length > 0 ? 'cross-origin' : 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
  if (origins.length > 0) {
    await app.register(cors, {
      origin: [...origins],
      methods: ['GET', 'POST', 'PATCH', 'DELETE'],
      allowedHeaders: ALLOWED,
      exposedHeaders: EXPOSED,
      credentials: takesCookies,
      maxAge: PREFLIGHT_S,
      strictPreflight: false,
    });
  }
  refuseForeignPages(app, new Set(origins));
}

/**
 * A page of another origin can send a POST without asking first, with the cookies of whoever looks at it, or to a service on
 * the visitor's own machine; it only cannot read the answer. Browsers say where such requests come from.
 */
function refuseForeignPages(app: FastifyInstance, origins: ReadonlySet<string>): void {
  app.addHook('onRequest', async ({ method, headers }) => {
    if (SAFE_METHODS.includes(method)) return;
    const site = headers['sec-fetch-site'];
    const isForeign = site === 'cross-site' || site === 'same-site';
    if (isForeign && !origins.has(headers.origin ?? '')) {
      throw new ChatError('forbidden', 'Pages of this origin may not call the service.');
    }
  });
}
