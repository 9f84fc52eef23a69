// What a client is willing to read (RFC 9110, 12.5.1). Problems are always sent: better than nothing to read.

import type { FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { ChatError } from '../chat/errors.ts';

function accepts(request: FastifyRequest, mediaType: string): boolean {
  return new Negotiator({ headers: request.headers }).mediaType([mediaType]) !== undefined;
}

/** Route hooks: 406 `not_acceptable` before anything is done. */
export async function wantsJson(request: FastifyRequest): Promise<void> {
  if (!accepts(request, 'application/json')) throw notAcceptable('application/json');
}

export async function wantsEventStream(request: FastifyRequest): Promise<void> {
  if (!accepts(request, 'text/event-stream')) throw notAcceptable('text/event-stream');
}

function notAcceptable(mediaType: string): ChatError {
  return new ChatError('not_acceptable', `This resource is only available as ${mediaType}.`);
}
