// What is HTTP, but could be read otherwise by a proxy on the way: two readings of where a request ends, or of whom it is for,
// are how requests are smuggled past somebody. Node's parser refuses the plain lies; these are left.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ChatError } from '../chat/errors.ts';
import { answerClientError } from './problem-handlers.ts';
import type { PublicPaths } from './problems.ts';

/**
 * Refuses them, and ends the connection: what comes after them cannot be trusted to be a request. Has to be the first of all
 * hooks, since Node reads on while a refusal is on its way.
 */
export function refuseAmbiguity(app: FastifyInstance, paths: PublicPaths): void {
  const refused = new WeakSet<Socket>();
  app.addHook('onRequest', ({ raw }, reply, done) => {
    if (refused.has(raw.socket)) {
      // Never answered: the connection ends with the refusal before it.
      reply.hijack();
      return;
    }
    const ambiguity = ambiguityOf(raw);
    if (ambiguity === undefined) {
      done();
      return;
    }
    refused.add(raw.socket);
    reply.header('connection', 'close');
    throw new ChatError('invalid_argument', ambiguity);
  });
  // Node would only close the connection.
  app.server.on('connect', (_request, socket) => answerClientError(new Error('CONNECT'), socket as Socket, paths));
}

/** RFC 9110, 4.2.3: what may be in a host and a port. */
const HOST = /^[A-Za-z0-9._~!$&'()*+,;=%:[\]-]*$/;

function ambiguityOf({ headers, headersDistinct, httpVersion }: IncomingMessage): string | undefined {
  // The parser takes 0.9 and 2.0 for HTTP as well.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'Only HTTP/1.1 and HTTP/1.0 are spoken here.';
  const hosts = headersDistinct.host ?? [];
  if (hosts.length === 0 && httpVersion === '1.1') return 'The Host header is missing.';
  // RFC 9112, 3.2: Node takes the first one.
  if (hosts.length > 1) return 'There is more than one Host header.';
  if (!HOST.test(hosts[0] ?? '')) return 'The Host header is no host.';
  const encoding = headers['transfer-encoding'];
  if (encoding === undefined) return undefined;
  // RFC 9112, 6.1: who speaks 1.0 does not know it, and reads another length.
  if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding.';
  // Node passes over everything before the last one.
  return encoding.trim().toLowerCase() === 'chunked' ? undefined : 'Transfer-Encoding can be nothing but chunked.';
}
