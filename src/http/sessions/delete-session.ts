// DELETE /v1/sessions/{sessionId}: every trace is removed, a running turn is cancelled.

import type { Route } from '../edge.ts';
import { wantedVersion } from '../entity-tags.ts';
import { ownerOf } from '../identity.ts';
import { NO_CONTENT, problems } from '../responses.ts';
import { IfMatchHeaders, NoQuery, SessionParams } from '../schemas/parameters.ts';

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
        headers: IfMatchHeaders,
        response: { 204: NO_CONTENT, ...problems({ hasBody: true }, 'session_not_found', 'version_mismatch') },
      },
    },
    async (request, reply) => {
      await sessions
        .open(ownerOf(request), request.params.sessionId)
        .delete(wantedVersion(request.headers['if-match']));
      return reply.code(204).send();
    },
  );
};
