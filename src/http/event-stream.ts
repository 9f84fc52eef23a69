// An answer of events: its headers, its first comment, then the log.

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
  if (endsConnection(reply)) reply.header('connection', 'close');
  reply.header('cache-control', 'no-cache, no-store, no-transform');
  reply.sse.keepAlive();
  reply.sse.sendHeaders(200);
  // `sendHeaders` alone waits for the first write; the comment goes with the headers.
  reply.raw.write(OPEN_COMMENT);
  await streamLog(reply.raw, log, rules, { afterSeq, silentMs: reply.elapsedTime });
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
