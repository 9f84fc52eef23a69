// `Expect: 100-continue`: clients that wait for a word before they send their body. They get it when the body is wanted; who
// is refused before that is told so at once, and keeps the body.

import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

const waiting = new WeakSet<IncomingMessage>();

/** Whether its client has not been told to send the body: nothing of it will come. */
export function isWaitingToSend(request: IncomingMessage): boolean {
  return waiting.has(request);
}

export function answerExpectations(app: FastifyInstance): void {
  app.server.on('checkContinue', (request, response) => {
    waiting.add(request);
    app.server.emit('request', request, response);
  });
  // Node would answer an unknown one with an empty 417; RFC 9110 lets it be passed over.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('preParsing', ({ raw, headers, routeOptions }, reply, _payload, done) => {
    const isTooLarge = Number(headers['content-length'] ?? 0) > (routeOptions.bodyLimit ?? Number.POSITIVE_INFINITY);
    if (!isTooLarge && waiting.delete(raw)) reply.raw.writeContinue();
    done();
  });
}
