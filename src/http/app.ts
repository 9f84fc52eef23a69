// The edge as a function of its dependencies: no I/O, no environment. What the service consists of is read here.

import type { Socket } from 'node:net';
import { fastifySSE } from '@fastify/sse';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { ChatError } from '../chat/errors.ts';
import type { Identity } from '../identity/identity.ts';
import { type BrowserRules, guardBrowsers } from './browsers.ts';
import type { Edge, EdgeDependencies } from './edge.ts';
import { answerExpectations } from './expectations.ts';
import { refuseAmbiguity } from './framing.ts';
import { type Health, health } from './health.ts';
import { identifyCallers, judgeScopes } from './identity.ts';
import { acceptJsonBodies } from './json-body.ts';
import { type LoadLimits, watchLoad } from './load-shedding.ts';
import { logRequests } from './logging.ts';
import { importMessages } from './messages/import-messages.ts';
import { listMessages } from './messages/list-messages.ts';
import { sendMessage } from './messages/send-message.ts';
import { streamMessage } from './messages/stream-message.ts';
import { openapiDocument } from './openapi-document.ts';
import { answerClientError, answerProblems, answerRouterError } from './problem-handlers.ts';
import { limitAddresses, limitOwners, type RateLimits } from './rate-limits.ts';
import { COMPONENTS } from './schemas/components.ts';
import { countTokens } from './sessions/count-tokens.ts';
import { createSession } from './sessions/create-session.ts';
import { deleteSession } from './sessions/delete-session.ts';
import { followSession } from './sessions/follow-session.ts';
import { forkSession } from './sessions/fork-session.ts';
import { getSession } from './sessions/get-session.ts';
import { getSessionUsage } from './sessions/get-session-usage.ts';
import { listSessions } from './sessions/list-sessions.ts';
import { rewindSession } from './sessions/rewind-session.ts';
import { updateSession } from './sessions/update-session.ts';
import { cutSlowReaders } from './slow-readers.ts';
import { cancelTurn } from './turns/cancel-turn.ts';
import { chooseCandidate } from './turns/choose-candidate.ts';
import { getTurn } from './turns/get-turn.ts';
import { listTurns } from './turns/list-turns.ts';
import { regenerate } from './turns/regenerate.ts';
import { regenerateStream } from './turns/regenerate-stream.ts';
import { streamTurn } from './turns/stream-turn.ts';
import { getUsage } from './usage/get-usage.ts';
import { compileValidator } from './validation.ts';

export interface ServerRules {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly jsonDepthMax: number;
  readonly jsonValuesMax: number;
  readonly urlLengthMax: number;
  /** Whether this is the address of a gateway, whose word is taken for where a request came from. */
  readonly isGateway: (address: string) => boolean;
  /** Beyond so many a connection is closed as soon as it comes; 0 for as many as come. */
  readonly connectionsMax: number;
}

export interface AppOptions extends EdgeDependencies {
  readonly logger: FastifyBaseLogger;
  readonly identity: Identity;
  readonly browsers: BrowserRules;
  readonly health: Health;
  readonly server: ServerRules;
  readonly rates: RateLimits;
  readonly load: LoadLimits;
  /** Ends all turns of this process; called once, before the server closes. */
  readonly drain: () => Promise<void>;
  /** Called with the bare instance before any route: how the document is generated. */
  readonly beforeRoutes?: (app: Edge) => Promise<void>;
}

/** After the last turn has ended, its viewers have so long to read the end. */
const LAST_BYTES_MS = 1000;

const ROUTES = [
  createSession,
  listSessions,
  getSession,
  followSession,
  updateSession,
  rewindSession,
  forkSession,
  deleteSession,
  listMessages,
  sendMessage,
  streamMessage,
  importMessages,
  listTurns,
  getTurn,
  streamTurn,
  cancelTurn,
  chooseCandidate,
  regenerate,
  regenerateStream,
  countTokens,
  getSessionUsage,
  getUsage,
];

export async function buildApp(options: AppOptions): Promise<Edge> {
  const app = newServer(options);
  app.setValidatorCompiler(compileValidator);
  // Answers are made by us: a serializer that drops what its schema does not list would change them.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  // In the order in which requests meet them: how they are framed, what browsers need also on refusals, their shape, who calls.
  refuseAmbiguity(app, options.paths);
  answerProblems(app, options.paths);
  logRequests(app);
  await guardBrowsers(app, options.browsers);
  acceptJsonBodies(app, options.server);
  answerExpectations(app);
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.url.length > options.server.urlLengthMax) throw new ChatError('uri_too_long', 'The URL is too long.');
    done();
  });
  limitAddresses(app, options.rates);
  identifyCallers(app, options.identity);
  limitOwners(app, options.rates);
  judgeScopes(app, options.identity);
  cutSlowReaders(app, options.sse.stallMs);
  await watchLoad(app, options.load);
  if (options.server.connectionsMax > 0) app.server.maxConnections = options.server.connectionsMax;
  app.addHook('preClose', async () => {
    await options.drain();
    // All turns have ended: whoever has not read the end by then is cut, so that nobody holds the close.
    setTimeout(() => app.server.closeAllConnections(), LAST_BYTES_MS).unref();
  });
  for (const component of COMPONENTS) app.addSchema(component);
  await app.register(fastifySSE, { heartbeatInterval: 0 });
  await options.beforeRoutes?.(app);
  health(app, options.health);
  openapiDocument(app);
  for (const route of ROUTES) route(app, options);
  await app.ready();
  return app;
}

function newServer({ logger, server, bodyLimits, paths }: AppOptions): Edge {
  return Fastify({
    loggerInstance: logger,
    // One line per request is written by `logRequests`.
    logController: new LogController({ disableRequestLogging: true }),
    // Streams are ended by `preClose`; connections that idle are closed with the server.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // Its 10 seconds would also cut the `preClose` hook, which drains for as long as it is configured to.
    pluginTimeout: 0,
    requestTimeout: server.requestTimeoutMs,
    connectionTimeout: 0,
    keepAliveTimeout: 90_000,
    bodyLimit: bodyLimits.smallBytes,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // Ids go to 128 characters; longer ones get their refusal from the schema.
    routerOptions: { maxParamLength: server.urlLengthMax, caseSensitive: true, ignoreTrailingSlash: false },
    requestIdHeader: false,
    // Never `true` or a count: whoever reaches the port could say where he comes from.
    trustProxy: server.isGateway,
    genReqId: () => crypto.randomUUID(),
    http: {
      headersTimeout: server.headersTimeoutMs,
      connectionsCheckingInterval: 5000,
      maxHeaderSize: 32 * 1024,
      // Checked in framing.ts instead: Node answers without a body, and a refusal is always a problem.
      requireHostHeader: false,
    },
    frameworkErrors: (error, request, reply) => answerRouterError(error, request, reply, paths),
    clientErrorHandler: (error, socket) => answerClientError(error, socket as Socket, paths),
  }).withTypeProvider() as unknown as Edge;
}
