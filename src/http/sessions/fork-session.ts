// POST /v1/sessions/{sessionId}/fork: a second session that begins where this one was at a message.

import type { Route } from '../edge.ts';
import { entityTag } from '../entity-tags.ts';
import { idempotencyOf, within } from '../idempotency.ts';
import { ownerOf } from '../identity.ts';
import { optionalBody } from '../json-body.ts';
import { wantsJson } from '../negotiation.ts';
import { sessionPath } from '../problems.ts';
import { ETAG, json, problems, SESSION_LOCATION } from '../responses.ts';
import { CreateHeaders, NoQuery, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { ForkSession, Session } from '../schemas/session.ts';
import { presentSession } from './present-session.ts';

export const forkSession: Route = (app, { sessions, paths, bodyLimits }) => {
  app.post(
    '/v1/sessions/:sessionId/fork',
    {
      bodyLimit: bodyLimits.smallBytes,
      onRequest: wantsJson,
      preValidation: optionalBody,
      schema: {
        operationId: 'forkSession',
        summary: 'Make another session of the history up to a message',
        description:
          'Configuration and messages (with their ids) are copied; turns and usage are not. From then on the two are independent.',
        tags: ['sessions'],
        params: SessionParams,
        querystring: NoQuery,
        headers: CreateHeaders,
        body: ref(ForkSession),
        'x-optional-body': true,
        response: {
          201: json('The new session.', Session, { ...ETAG, ...SESSION_LOCATION }),
          ...problems({ hasBody: true }, 'session_not_found', 'session_exists', 'idempotency_mismatch', 'overloaded'),
        },
      },
    },
    async (request, reply) => {
      const { sessionId } = request.params;
      const { atMessageId, id, displayName } = request.body;
      const idempotency = idempotencyOf(request.headers['idempotency-key'], request.body);
      const session = await sessions.open(ownerOf(request), sessionId).fork({
        atMessageId: atMessageId ?? undefined,
        id: id ?? undefined,
        displayName: displayName ?? undefined,
        idempotency: idempotency && within(`fork of ${sessionId}`, idempotency),
      });
      return reply
        .code(201)
        .header('location', sessionPath(paths, session.id))
        .header('etag', entityTag(session.version))
        .send(presentSession(session, paths));
    },
  );
};
