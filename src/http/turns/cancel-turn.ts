// POST /v1/sessions/{sessionId}/turns/{turnId}/cancel: ends a running turn, on whatever replica it runs. Idempotent.

import { isOpen } from '../../chat/turn.ts';
import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { optionalBody } from '../json-body.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { NoQuery, TurnParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { CancelTurn, Turn } from '../schemas/turn.ts';

export const cancelTurn: Route = (app, { sessions, bodyLimits }) => {
  app.post(
    '/v1/sessions/:sessionId/turns/:turnId/cancel',
    {
      bodyLimit: bodyLimits.smallBytes,
      onRequest: wantsJson,
      preValidation: optionalBody,
      schema: {
        operationId: 'cancelTurn',
        summary: 'Cancel a turn',
        tags: ['turns'],
        params: TurnParams,
        querystring: NoQuery,
        body: ref(CancelTurn),
        'x-optional-body': true,
        response: {
          200: json('The turn, which has ended, by this or otherwise.', Turn),
          202: json('The turn, which takes longer to end than one wants to wait.', Turn),
          ...problems({ hasBody: true }, 'session_not_found', 'turn_not_found'),
        },
      },
    },
    async (request, reply) => {
      const { sessionId, turnId } = request.params;
      const turn = await sessions.open(ownerOf(request), sessionId).cancel(turnId, request.body.keep ?? 'none');
      return reply.code(isOpen(turn) ? 202 : 200).send(turn);
    },
  );
};
