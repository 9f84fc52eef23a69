// GET /v1/sessions/{sessionId}/usage: what the turns of a session have used, by the state in which they ended.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { NoQuery, SessionParams } from '../schemas/parameters.ts';
import { SessionUsage } from '../schemas/usage.ts';

export const getSessionUsage: Route = (app, { sessions }) => {
  app.get(
    '/v1/sessions/:sessionId/usage',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'getSessionUsage',
        summary: 'Get the usage of a session',
        description: 'Of all its turns, also those that the ledger does not hold any more.',
        tags: ['sessions'],
        params: SessionParams,
        querystring: NoQuery,
        response: {
          200: json('The sums.', SessionUsage),
          ...problems({ hasBody: false }, 'session_not_found'),
        },
      },
    },
    (request) => sessions.open(ownerOf(request), request.params.sessionId).usage(),
  );
};
