// An answer of events: its headers, its first comment, then the log.

import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { FrameSource } from '../chat/frame-log.ts';
import { OPEN_COMMENT, type SseRules, streamLog } from './sse-stream.ts';

export interface EventsToSend {
  readonly log: FrameSource;
  /** What the client has seen already. */
  readonly afterSeq?: number;
}

/** Resolves when the stream has ended, in whatever way. */
export async function sendEvents(
  reply: FastifyReply,
  { log, afterSeq = 0 }: EventsToSend,
  rules: SseRules,
): Promise<void> {
  reply.sse.keepAlive();
  // In one go, and not by the plugin's `sendHeaders`: header by header on Node's response costs several times as much.
  reply.raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-store, no-transform',
    'x-accel-buffering': 'no',
    connection: endsConnection(reply) ? 'close' : 'keep-alive',
  });
  // The headers go with the first write: there is one at once.
  await streamLog(reply.raw, log, rules, { afterSeq, silentMs: reply.elapsedTime, opening: OPEN_COMMENT });
  reply.sse.close();
}

/**
 * The same for somebody who only looks on, which can last for days: longer than a token is good for, or than a key that is
 * revoked. Then the connection is cut, which tells to come back. Not for a send: its turn would be cancelled by the cut.
 */
export async function sendView(reply: FastifyReply, view: EventsToSend, rules: SseRules): Promise<void> {
  const recheck = setInterval(async () => {
    if (!(await reply.request.mayGoOn())) reply.raw.destroy();
  }, rules.identityRecheckMs);
  try {
    await sendEvents(reply, view, rules);
  } finally {
    clearInterval(recheck);
  }
}

/**
 * The plugin says keep-alive even to those who asked for the opposite, and would leave their connection open; and to those
 * who speak HTTP/1.0, which has no chunks: there the end of the connection is that of the stream, whatever was asked for.
 */
function endsConnection({ request }: FastifyReply): boolean {
  return request.raw.httpVersion === '1.0' || /\bclose\b/i.test(request.headers.connection ?? '');
}
