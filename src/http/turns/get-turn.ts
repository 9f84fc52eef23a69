// GET /v1/sessions/{sessionId}/turns/{turnId}: a turn, in the history or not, running or ended.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { NoQuery, TurnParams } from '../schemas/parameters.ts';
import { Turn } from '../schemas/turn.ts';

export const getTurn: Route = (app, { sessions }) => {
  app.get(
    '/v1/sessions/:sessionId/turns/:turnId',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'getTurn',
        summary: 'Get a turn',
        tags: ['turns'],
        params: TurnParams,
        querystring: NoQuery,
        response: {
          200: json('The turn.', Turn),
          ...problems({ hasBody: false }, 'session_not_found', 'turn_not_found'),
        },
      },
    },
    (request) => sessions.open(ownerOf(request), request.params.sessionId).turn(request.params.turnId),
  );
};
