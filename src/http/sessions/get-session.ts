// GET /v1/sessions/{sessionId}: configuration and numbers; the history has a route of its own. Reads do not prolong
// the session's life.

import type { Route } from '../edge.ts';
import { entityTag } from '../entity-tags.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { ETAG, json, problems } from '../responses.ts';
import { NoQuery, SessionParams } from '../schemas/parameters.ts';
import { Session } from '../schemas/session.ts';
import { presentSession } from './present-session.ts';

export const getSession: Route = (app, { sessions, paths }) => {
  app.get(
    '/v1/sessions/:sessionId',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'getSession',
        summary: 'Get a session',
        tags: ['sessions'],
        params: SessionParams,
        querystring: NoQuery,
        response: {
          200: json('The session.', Session, ETAG),
          ...problems({ hasBody: false }, 'session_not_found'),
        },
      },
    },
    async (request, reply) => {
      const session = await sessions.open(ownerOf(request), request.params.sessionId).read();
      return reply.header('etag', entityTag(session.version)).send(presentSession(session, paths));
    },
  );
};
