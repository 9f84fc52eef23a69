// PATCH /v1/sessions/{sessionId}: JSON merge patch of the configuration (RFC 7396); the history cannot be patched.

import type { Route } from '../edge.ts';
import { entityTag, wantedVersion } from '../entity-tags.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { ETAG, json, problems } from '../responses.ts';
import { IfMatchHeaders, NoQuery, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { Session, SessionPatch } from '../schemas/session.ts';
import { presentSession } from './present-session.ts';

export const updateSession: Route = (app, { sessions, paths, bodyLimits }) => {
  app.patch(
    '/v1/sessions/:sessionId',
    {
      bodyLimit: bodyLimits.contentBytes,
      onRequest: wantsJson,
      schema: {
        operationId: 'updateSession',
        summary: 'Change a session',
        tags: ['sessions'],
        consumes: ['application/merge-patch+json', 'application/json'],
        params: SessionParams,
        querystring: NoQuery,
        headers: IfMatchHeaders,
        body: ref(SessionPatch),
        response: {
          200: json('The session as it is now.', Session, ETAG),
          ...problems({ hasBody: true }, 'session_not_found', 'version_mismatch', 'overloaded'),
        },
      },
    },
    async (request, reply) => {
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const session = await chat.update(request.body, wantedVersion(request.headers['if-match']));
      return reply.header('etag', entityTag(session.version)).send(presentSession(session, paths));
    },
  );
};
