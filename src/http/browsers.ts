// What browsers are told and asked: which pages of other origins may call, and that nothing here is to be kept, framed,
// sniffed or run.

import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import helmet from 'helmet';
import { ChatError } from '../chat/errors.ts';

export interface BrowserRules {
  /** Exactly as browsers send them. */
  readonly origins: readonly string[];
  /** Whether pages may send cookies: what a gateway knows its users by. */
  readonly takesCookies: boolean;
  /** Whether it is for this machine alone, without anybody having said who may call. */
  readonly isPrivate: boolean;
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

export async function guardBrowsers(
  app: FastifyInstance,
  { origins, takesCookies, isPrivate }: BrowserRules,
): Promise<void> {
  const headers = { 'cache-control': 'no-store', ...securityHeaders(origins.length > 0) };
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
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
  if (isPrivate) refuseForeignNames(app);
  refuseForeignPages(app, new Set(origins));
}

/**
 * What helmet says, asked once: it is the same for every request, and its own hook puts each header on Node's response, which
 * costs as much as all the other hooks together.
 */
function securityHeaders(areAnswersShared: boolean): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  const response = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: () => undefined,
  };
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    // Whether there is TLS, and for which names, is known by whoever ends it.
    strictTransportSecurity: false,
    // Answers are read by pages of other origins, where CORS lets them.
    crossOriginResourcePolicy: { policy: areAnswersShared ? 'cross-origin' : 'same-origin' },
    xFrameOptions: { action: 'deny' },
  })({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error) throw error;
  });
  return headers;
}

/** Names that no stranger can have: addresses, names without a dot, and `localhost`. */
const LOCAL_NAME = /^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]|[^.]*|([^.]+\.)+localhost)\.?$/i;

/**
 * A page can let its own name lead to this machine (DNS rebinding): for the browser the service then belongs to the page, which
 * can do and read everything.
 */
function refuseForeignNames(app: FastifyInstance): void {
  app.addHook('onRequest', ({ headers: { host = '' }, routeOptions }, _reply, done) => {
    if (!routeOptions.config?.isOpen && !LOCAL_NAME.test(host.replace(/:\d*$/, ''))) {
      throw new ChatError(
        'forbidden',
        'Without AUTH the service answers to names of this machine only; AUTH=none lets others in.',
      );
    }
    done();
  });
}

/**
 * A page of another origin can send a POST without asking first, with the cookies of whoever looks at it, or to a service on
 * the visitor's own machine; it only cannot read the answer. Browsers say where such requests come from: with `Sec-Fetch-Site`
 * where there is TLS, and with `Origin`.
 */
function refuseForeignPages(app: FastifyInstance, origins: ReadonlySet<string>): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { method, headers } = request;
    const { origin, 'sec-fetch-site': site } = headers;
    const isAllowed = SAFE_METHODS.includes(method) || (origin !== undefined && origins.has(origin));
    const isOwn = site === undefined ? isOwnOrigin(request) : site === 'same-origin' || site === 'none';
    if (!isAllowed && !isOwn) throw new ChatError('forbidden', 'Pages of this origin may not call the service.');
    done();
  });
}

/** Of a request without `Sec-Fetch-Site`: not made by a page, or by one that was asked for first, or by one of this very host. */
function isOwnOrigin({ headers, host }: FastifyRequest): boolean {
  const { origin, 'content-type': type } = headers;
  if (origin === undefined) return true;
  // JSON is never sent without a preflight; neither are these headers.
  if (type?.includes('json') || headers.authorization !== undefined || headers['x-api-key'] !== undefined) return true;
  return origin === `http://${host}` || origin === `https://${host}`;
}
