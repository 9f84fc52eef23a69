// How a send is answered as Server-Sent Events. What fails before the model has said a word is an ordinary problem;
// afterwards it is the last event.

import type { FastifyReply } from 'fastify';
import { EarlierTurn } from '../../chat/earlier-turn.ts';
import type { RunningTurn } from '../../chat/running-turn.ts';
import type { EventCursor } from '../../chat/turn-event.ts';
import { BEFORE_QUEUE } from '../../chat/waiting-log.ts';
import { WaitingTurn } from '../../chat/waiting-turn.ts';
import type { watchConnection } from '../connection.ts';
import type { EdgeDependencies } from '../edge.ts';
import { cursorIn } from '../event-cursor.ts';
import { sendEvents } from '../event-stream.ts';
import { sendProblem } from '../problem-handlers.ts';
import { eventStream, TURN_ADDRESS } from '../responses.ts';
import { EventStream } from '../schemas/events.ts';
import type { Sent } from './answer-send.ts';

/** Of the document. */
export const STREAM_ANSWER = { 200: eventStream('The events of the turn.', EventStream, TURN_ADDRESS) };

export interface StreamRequest {
  readonly headers: Parameters<typeof cursorIn>[0];
  readonly onDisconnect?: 'continue' | 'cancel' | undefined;
  /** Watched since before there was a turn: the client may be gone already. */
  readonly connection: ReturnType<typeof watchConnection>;
}

export async function answerStream(
  reply: FastifyReply,
  sent: Sent,
  { headers, onDisconnect, connection }: StreamRequest,
  deps: EdgeDependencies,
): Promise<FastifyReply> {
  if (sent instanceof EarlierTurn) return sendAgain(reply, sent, cursorIn(headers), deps);
  if (onDisconnect === 'cancel') connection.onGone(() => cancel(sent));
  const isQueued = sent instanceof WaitingTurn && sent.isQueued;
  if (!isQueued) await firstWord(sent, deps.streamHeadersDelayMs);
  if (!isQueued && sent.log.hasEnded && !sent.hasAnswer) {
    const { problem } = await sent.ended;
    if (problem) return sendProblem(reply, problem);
  }
  await sendEvents(reply, { log: sent.log, afterSeq: sent instanceof WaitingTurn ? BEFORE_QUEUE : 0 }, deps.sse);
  return reply;
}

/** Whatever has become of it. */
function cancel(sent: RunningTurn | WaitingTurn): void {
  sent.cancel();
  if (sent instanceof WaitingTurn) void sent.begun.then((running) => running?.cancel());
}

/** What the same send was answered with, from where its client has left off; what never began to answer is a problem again. */
async function sendAgain(
  reply: FastifyReply,
  sent: EarlierTurn,
  cursor: EventCursor | undefined,
  deps: EdgeDependencies,
): Promise<FastifyReply> {
  const { problem, candidates } = await sent.current();
  if (problem && candidates.length === 0) return sendProblem(reply, problem);
  const view = await sent.view(cursor);
  try {
    await sendEvents(reply, view, deps.sse);
  } finally {
    view.release();
  }
  return reply;
}

/** The model's first chunk or its error; but not for ever, since proxies want to see bytes. */
async function firstWord(sent: RunningTurn | WaitingTurn, delayMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  await Promise.race([sent.answered, promise]);
  clearTimeout(timer);
}
