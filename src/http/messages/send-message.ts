// POST /v1/sessions/{sessionId}/messages: one question, one answer, by one unary call to the model. The turn goes on
// when the client does not wait for it.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { problems } from '../responses.ts';
import { NoQuery, SendHeaders, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { SendMessage } from '../schemas/send.ts';
import { addressTurn, answerSend, TURN_ANSWERS } from './answer-send.ts';
import { readSend } from './read-send.ts';
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
          ...TURN_ANSWERS,
          ...problems({ hasBody: true }, ...SEND_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const sent = await chat.sendMessage(readSend(request.body, request.headers));
      addressTurn(reply, { sessionId: chat.key.sessionId, turnId: sent.turnId }, paths);
      return answerSend(reply, sent, request.headers.prefer);
    },
  );
};
