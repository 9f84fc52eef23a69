// POST /v1/sessions/{sessionId}/messages: one question, one answer, by one unary call to the model. The turn goes on
// when the client does not wait for it.

import { EarlierTurn } from '../../chat/earlier-turn.ts';
import { isOpen } from '../../chat/turn.ts';
import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { sendProblem } from '../problem-handlers.ts';
import { json, problems, TURN_ADDRESS } from '../responses.ts';
import { NoQuery, SendHeaders, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { SendMessage, Turn } from '../schemas/turn.ts';
import { addressTurn, readSend } from './read-send.ts';
import { SEND_PROBLEMS } from './send-problems.ts';

export const sendMessage: Route = (app, { sessions, paths, bodyLimits }) => {
  app.post(
    '/v1/sessions/:sessionId/messages',
    {
      bodyLimit: bodyLimits.contentBytes,
      onRequest: wantsJson,
      schema: {
        operationId: 'sendMessage',
        summary: 'Send a message',
        tags: ['messages'],
        params: SessionParams,
        querystring: NoQuery,
        headers: SendHeaders,
        body: ref(SendMessage),
        response: {
          200: json('The finished turn: COMMITTED, BLOCKED or CANCELLED.', Turn, TURN_ADDRESS),
          202: json('With `Prefer: respond-async`: the turn, which goes on.', Turn, {
            ...TURN_ADDRESS,
            'Preference-Applied': { type: 'string', description: '`respond-async`.' },
          }),
          ...problems({ hasBody: true }, ...SEND_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const sent = await chat.sendMessage(readSend(request.body, request.headers));
      addressTurn(reply, { sessionId: chat.key.sessionId, turnId: sent.turnId }, paths);
      const isEarlier = sent instanceof EarlierTurn;
      if (wantsNoWait(request.headers.prefer)) {
        const now = isEarlier ? await sent.current() : sent.snapshot;
        if (isOpen(now)) return reply.code(202).header('preference-applied', 'respond-async').send(now);
      }
      const turn = isEarlier ? await sent.ended() : await sent.ended;
      return turn.problem ? sendProblem(reply, turn.problem) : reply.send(turn);
    },
  );
};

/** RFC 7240. A preference that is not known, or not met, is passed over. */
function wantsNoWait(prefer: string | undefined): boolean {
  return (prefer ?? '').split(',').some((preference) => /^\s*respond-async\s*(;|$)/i.test(preference));
}
