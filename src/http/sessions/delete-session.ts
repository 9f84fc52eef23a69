// DELETE /v1/sessions/{sessionId}: every trace is removed, a running turn is cancelled.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { NO_CONTENT, problems } from '../responses.ts';
import { NoQuery, SessionParams } from '../schemas/parameters.ts';

export const deleteSession: Route = (app, { sessions }) => {
  app.delete(
    '/v1/sessions/:sessionId',
    {
      schema: {
        operationId: 'deleteSession',
        summary: 'Delete a session',
        tags: ['sessions'],
        params: SessionParams,
        querystring: NoQuery,
        response: { 204: NO_CONTENT, ...problems({ hasBody: true }, 'session_not_found') },
      },
    },
    async (request, reply) => {
      await sessions.open(ownerOf(request), request.params.sessionId).delete();
      return reply.code(204).send();
    },
  );
};
