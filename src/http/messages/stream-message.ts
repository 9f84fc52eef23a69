// POST /v1/sessions/{sessionId}/messages/stream: one question, its answer as Server-Sent Events. What fails before the
// model has said a word is an ordinary problem; afterwards it is the last event.

import type { FastifyReply } from 'fastify';
import { EarlierTurn } from '../../chat/earlier-turn.ts';
import type { RunningTurn } from '../../chat/running-turn.ts';
import type { EventCursor } from '../../chat/turn-event.ts';
import { BEFORE_QUEUE } from '../../chat/waiting-log.ts';
import { WaitingTurn } from '../../chat/waiting-turn.ts';
import { watchConnection } from '../connection.ts';
import type { EdgeDependencies, Route } from '../edge.ts';
import { cursorIn } from '../event-cursor.ts';
import { sendEvents } from '../event-stream.ts';
import { ownerOf } from '../identity.ts';
import { wantsEventStream } from '../negotiation.ts';
import { sendProblem } from '../problem-handlers.ts';
import { eventStream, problems, TURN_ADDRESS } from '../responses.ts';
import { EventStream } from '../schemas/events.ts';
import { NoQuery, SessionParams, StreamHeaders } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { StreamMessage } from '../schemas/turn.ts';
import { addressTurn, readSend } from './read-send.ts';
import { SEND_PROBLEMS } from './send-problems.ts';

export const streamMessage: Route = (app, deps) => {
  app.post(
    '/v1/sessions/:sessionId/messages/stream',
    {
      bodyLimit: deps.bodyLimits.contentBytes,
      // The plugin attaches the lifecycle; negotiation, heartbeats and the data path are ours.
      sse: { kind: 'manual', heartbeat: false },
      onRequest: wantsEventStream,
      schema: {
        operationId: 'streamMessage',
        summary: 'Send a message, stream the answer',
        tags: ['messages'],
        params: SessionParams,
        querystring: NoQuery,
        headers: StreamHeaders,
        body: ref(StreamMessage),
        response: {
          200: eventStream('The events of the turn.', EventStream, TURN_ADDRESS),
          ...problems({ hasBody: true }, ...SEND_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const chat = deps.sessions.open(ownerOf(request), request.params.sessionId);
      // Watched from now on: the client may be gone before there is a turn.
      const connection = watchConnection(reply);
      const sent = await chat.sendMessageStreaming(readSend(request.body, request.headers));
      addressTurn(reply, { sessionId: chat.key.sessionId, turnId: sent.turnId }, deps.paths);
      if (sent instanceof EarlierTurn) return sendAgain(reply, sent, cursorIn(request.headers), deps);
      if (request.body.onDisconnect === 'cancel') connection.onGone(() => cancel(sent));
      const isQueued = sent instanceof WaitingTurn && sent.isQueued;
      if (!isQueued) await firstWord(sent, deps.streamHeadersDelayMs);
      if (!isQueued && sent.log.hasEnded && !sent.hasAnswer) {
        const { problem } = await sent.ended;
        if (problem) return sendProblem(reply, problem);
      }
      await sendEvents(reply, { log: sent.log, afterSeq: sent instanceof WaitingTurn ? BEFORE_QUEUE : 0 }, deps.sse);
      return reply;
    },
  );
};

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
