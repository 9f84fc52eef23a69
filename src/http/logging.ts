// What is logged: one line per request and one per turn. Never contents, tokens, query strings or texts of foreign
// errors, which may quote all of them; an allow-list of facts instead.

import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import { asChatError, ChatError } from '../chat/errors.ts';
import type { TurnFacts } from '../chat/turn-plan.ts';
import { statusOf } from './problems.ts';

export function logRequests(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    // Not `onResponse`: it does not come when the client has gone before the end of its answer (Fastify 5).
    reply.raw.once('close', () => {
      const { headersSent, writableFinished } = reply.raw;
      const ms = Math.round(reply.elapsedTime);
      logRequest(request, headersSent ? reply.statusCode : undefined, {
        ms,
        isAborted: !writableFinished || undefined,
      });
    });
    done();
  });
}

/** No status when the client has gone before there was one. */
export function logRequest(request: FastifyRequest, status: number | undefined, facts: object = {}): void {
  const route = request.routeOptions.url ?? null;
  request.log.info({ method: request.method, route, status, ...facts }, 'request');
}

/** What is not the client's doing: once, here, with what lies underneath. */
export function logFailure(request: FastifyRequest, error: unknown): void {
  const chatError = asChatError(error);
  const { diagnosis } = chatError.details;
  if (statusOf(chatError.code) < 500) {
    if (diagnosis !== undefined) request.log.info({ code: chatError.code, diagnosis }, 'request refused');
    return;
  }
  const level = chatError.code === 'internal' ? 'error' : 'warn';
  request.log[level]({ code: chatError.code, ...underneath(chatError) }, 'request failed');
}

export function logTurn(log: FastifyBaseLogger): (facts: TurnFacts) => void {
  return ({ turn, sessionId, error, isStream, chunks, firstChunkMs, durationMs }) => {
    const { turnId, model, state, usage } = turn;
    const facts = { sessionId, turnId, model, state, isStream, chunks, firstChunkMs, ms: durationMs };
    const failure = error ? { code: error.code, ...underneath(error) } : {};
    const tokens = { promptTokens: usage.promptTokens, outputTokens: usage.outputTokens };
    log[error?.code === 'internal' ? 'error' : 'info']({ ...facts, ...tokens, ...failure }, 'turn');
  };
}

/** Names, codes and places; a message only where it is known to be about a system, not about contents. */
export function underneath(error: unknown): object {
  const { diagnosis } = error instanceof ChatError ? error.details : {};
  const cause = error instanceof ChatError ? error.cause : error;
  if (!(cause instanceof Error)) return { diagnosis };
  const code = 'code' in cause ? String(cause.code) : undefined;
  const isSystem = cause.name === 'ReplyError' || 'syscall' in cause;
  return {
    diagnosis,
    cause: {
      name: cause.name,
      code,
      message: isSystem ? cause.message.slice(0, 200) : undefined,
      at: cause.stack
        ?.split('\n')
        .filter((line) => /^\s+at /.test(line))
        .slice(0, 6)
        .map((line) => line.trim()),
    },
  };
}
