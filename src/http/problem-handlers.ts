// Every way in which a request can end in an error, as a problem: thrown errors, Fastify's own refusals, unknown paths
// and methods, and bytes that are not HTTP.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorObject } from 'ajv';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ChatError, type Problem, type ProblemCode, type TurnAddress } from '../chat/errors.ts';
import { isWaitingToSend } from './expectations.ts';
import { logFailure, logRequest } from './logging.ts';
import { PROBLEM_MEDIA_TYPE, type ProblemDetails, type PublicPaths, problemOf, statusOf } from './problems.ts';
import { validationError } from './validation.ts';

export function sendProblem(reply: FastifyReply, problem: Problem | ProblemDetails): FastifyReply {
  const { retryAfterS } = problem as ProblemDetails;
  if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS);
  // OpenAI's and other clients send a 409 again by themselves; a busy session is for the caller to decide.
  if (problem.code === 'turn_in_progress') reply.header('x-should-retry', 'false');
  return reply.code(problem.status).type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
}

export function answerProblems(app: FastifyInstance, paths: PublicPaths): void {
  app.setErrorHandler(async (error, request, reply) => {
    const known = translate(error as FastifyError);
    logFailure(request, known);
    if (isWaitingToSend(request.raw)) reply.header('connection', 'close');
    else if (!request.raw.complete && !(await discardBody(request.raw))) reply.header('connection', 'close');
    return sendProblem(reply, problemOf(known, paths, { ...addressOf(request), path: pathOf(request.url) }));
  });
  const methods = new MethodTable();
  app.addHook('onRoute', ({ method, url }) => {
    // The way in for preflights of every path.
    if (url !== '*') methods.add(method, url);
  });
  app.setNotFoundHandler((request, reply) => {
    const about = { path: pathOf(request.url) };
    const allowed = methods.allowedFor(about.path);
    if (allowed.length === 0) {
      return sendProblem(reply, problemOf(new ChatError('not_found', 'There is nothing at this path.'), paths, about));
    }
    const error = new ChatError('method_not_allowed', `This resource takes ${allowed.join(', ')}.`);
    return sendProblem(reply.header('allow', allowed.join(', ')), problemOf(error, paths, about));
  });
}

/** What the router itself refuses, before there is a route: Fastify's hooks and error handler do not run for it. */
export function answerRouterError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  paths: PublicPaths,
): void {
  const problem = problemOf(translate(error), paths);
  logRequest(request, problem.status);
  sendProblem(reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff'), problem);
}

/** A client that has written nothing for so long is waiting for its answer. */
const DISCARD_IDLE_MS = 2000;

/** More than any body that is taken by default: who still writes does not want to know. */
const DISCARD_BYTES_MAX = 32 * 1024 ** 2;

/**
 * A client that is still writing meets a closed socket before it reads why: so its body is read, and dropped, before it
 * is answered. False when there was no end of it.
 */
async function discardBody(request: IncomingMessage): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, DISCARD_IDLE_MS);
  let bytes = 0;
  const onData = (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > DISCARD_BYTES_MAX) resolve();
    else timer.refresh();
  };
  request.on('data', onData).once('end', resolve).once('close', resolve).resume();
  await promise;
  clearTimeout(timer);
  request.off('data', onData).off('end', resolve).off('close', resolve);
  const isBounded = bytes <= DISCARD_BYTES_MAX;
  // Without a listener for data it would stand still, and the client with it.
  if (isBounded) request.resume();
  else request.pause();
  return isBounded;
}

/** Fastify's error codes that are the client's doing. */
const FASTIFY_CODES: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'The body has to be application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is too large.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_argument', 'The body is not as long as Content-Length says.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_argument', 'The body is empty.'],
  FST_ERR_BAD_URL: ['invalid_argument', 'The path is not a valid URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A part of the path is too long.'],
};

function translate(error: FastifyError): unknown {
  if (error instanceof ChatError) return error;
  if (error.validation) {
    return validationError(error.validation as unknown as ErrorObject[], error.validationContext ?? 'body');
  }
  const known = FASTIFY_CODES[error.code];
  if (known) return new ChatError(known[0], known[1], { cause: error });
  if (error.statusCode === 400) return new ChatError('invalid_argument', 'The request is malformed.', { cause: error });
  return error;
}

function addressOf(request: FastifyRequest): Partial<TurnAddress> {
  const { sessionId } = request.params as { sessionId?: string };
  return sessionId === undefined ? {} : { sessionId };
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

/** Which methods each path takes: the router itself only knows that it found nothing. */
class MethodTable {
  readonly #routes: { readonly pattern: RegExp; readonly methods: Set<string> }[] = [];

  add(method: string | readonly string[], url: string): void {
    const source = `^${url.replace(/[.]/g, '\\.').replace(/:[A-Za-z]+/g, '[^/]+')}$`;
    const known = this.#routes.find(({ pattern }) => pattern.source === new RegExp(source).source);
    const methods = known?.methods ?? new Set<string>();
    for (const name of [method].flat()) methods.add(name);
    if (!known) this.#routes.push({ pattern: new RegExp(source), methods });
  }

  allowedFor(path: string): readonly string[] {
    return [...(this.#routes.find(({ pattern }) => pattern.test(path))?.methods ?? [])];
  }
}

const PARSER_CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_INVALID_EOF_STATE: 'invalid_argument',
};

/** A client that does not close its half after this answer would keep the socket for ever. */
const LAST_WORD_MS = 1000;

/** Bytes that never became a request: answered on the bare socket, then closed. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, paths: PublicPaths): void {
  // As Node's own handler does: an answer that has begun must not have these bytes in its middle.
  const { _httpMessage: answering } = socket as { _httpMessage?: ServerResponse | null };
  if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent) {
    socket.destroy();
    return;
  }
  const code = PARSER_CODES[error.code ?? ''] ?? 'invalid_argument';
  const body = JSON.stringify(problemOf(new ChatError(code, clientErrorText(error)), paths));
  const timer = setTimeout(() => socket.destroy(), LAST_WORD_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end(
    `HTTP/1.1 ${statusOf(code)} ${STATUS_CODES[statusOf(code)]}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`,
  );
}

function clientErrorText({ code }: NodeJS.ErrnoException): string {
  if (code === 'HPE_HEADER_OVERFLOW') return 'The headers are too large.';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'The request took too long to arrive.';
  return 'This is not a valid HTTP request.';
}
