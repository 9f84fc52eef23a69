// POST /v1/sessions/{sessionId}/messages: one question, one answer, by one unary call to the model. The turn goes on
// when the client does not wait for it.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { sendProblem } from '../problem-handlers.ts';
import { json, problems, TURN_ADDRESS } from '../responses.ts';
import { IfMatchHeaders, NoQuery, SessionParams } from '../schemas/parameters.ts';
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
        headers: IfMatchHeaders,
        body: ref(SendMessage),
        response: {
          200: json('The finished turn: COMMITTED, BLOCKED or CANCELLED.', Turn, TURN_ADDRESS),
          ...problems({ hasBody: true }, ...SEND_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const running = await chat.sendMessage(readSend(request.body, request.headers));
      addressTurn(reply, { sessionId: chat.key.sessionId, turnId: running.turnId }, paths);
      const turn = await running.ended;
      return turn.problem ? sendProblem(reply, turn.problem) : reply.send(turn);
    },
  );
};
