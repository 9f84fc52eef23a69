// POST /v1/sessions/{sessionId}/turns/{turnId}/regenerate: the newest question is answered again, by a new turn. The answer
// that is in the history stays there until the new one commits.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { optionalBody } from '../json-body.ts';
import { addressTurn, answerSend, TURN_ANSWERS } from '../messages/answer-send.ts';
import { readRegenerate } from '../messages/read-send.ts';
import { REGENERATE_PROBLEMS } from '../messages/send-problems.ts';
import { wantsJson } from '../negotiation.ts';
import { problems } from '../responses.ts';
import { NoQuery, SendHeaders, TurnParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { Regenerate } from '../schemas/send.ts';

export const REGENERATE_DESCRIPTION =
  'Of the turn that owns the last two messages, which are replaced when the new turn commits; or of the newest turn that has ' +
  'begun, when it did not commit: then its question is sent again. A turn that only waited in line is neither.';

export const regenerate: Route = (app, { sessions, paths, bodyLimits }) => {
  app.post(
    '/v1/sessions/:sessionId/turns/:turnId/regenerate',
    {
      bodyLimit: bodyLimits.smallBytes,
      onRequest: wantsJson,
      preValidation: optionalBody,
      schema: {
        operationId: 'regenerate',
        summary: 'Answer the question of a turn again',
        description: REGENERATE_DESCRIPTION,
        tags: ['turns'],
        params: TurnParams,
        querystring: NoQuery,
        headers: SendHeaders,
        body: ref(Regenerate),
        'x-optional-body': true,
        response: { ...TURN_ANSWERS, ...problems({ hasBody: true }, ...REGENERATE_PROBLEMS) },
      },
    },
    async (request, reply) => {
      const { sessionId, turnId } = request.params;
      const chat = sessions.open(ownerOf(request), sessionId);
      const sent = await chat.sendMessage(readRegenerate(turnId, request.body, request.headers));
      addressTurn(reply, { sessionId, turnId: sent.turnId }, paths);
      return answerSend(reply, sent, request.headers.prefer);
    },
  );
};
