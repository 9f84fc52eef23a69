// POST /v1/sessions/{sessionId}/messages/import: messages that were said elsewhere, by a person or another system.

import type { Route } from '../edge.ts';
import { entityTag, wantedVersion } from '../entity-tags.ts';
import { idempotencyOf } from '../idempotency.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { ETAG, json, problems } from '../responses.ts';
import { ChangeHeaders, NoQuery, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { ImportMessages, Session } from '../schemas/session.ts';
import { presentSession } from '../sessions/present-session.ts';
import { readMessage } from './read-message.ts';

export const importMessages: Route = (app, { sessions, paths, bodyLimits }) => {
  app.post(
    '/v1/sessions/:sessionId/messages/import',
    {
      bodyLimit: bodyLimits.contentBytes,
      onRequest: wantsJson,
      schema: {
        operationId: 'importMessages',
        summary: 'Append messages without asking the model',
        description: 'All or nothing. A refusal names the first message after which the conversation could not go on.',
        tags: ['messages'],
        params: SessionParams,
        querystring: NoQuery,
        headers: ChangeHeaders,
        body: ref(ImportMessages),
        response: {
          200: json('The session as it is now.', Session, ETAG),
          ...problems(
            { hasBody: true },
            'session_not_found',
            'turn_in_progress',
            'history_full',
            'version_mismatch',
            'idempotency_mismatch',
            'overloaded',
          ),
        },
      },
    },
    async (request, reply) => {
      const { headers, body } = request;
      const session = await sessions.open(ownerOf(request), request.params.sessionId).importMessages({
        contents: body.messages.map(readMessage),
        ifVersion: wantedVersion(headers['if-match']),
        idempotency: idempotencyOf(headers['idempotency-key'], { import: body }),
      });
      return reply.header('etag', entityTag(session.version)).send(presentSession(session, paths));
    },
  );
};
