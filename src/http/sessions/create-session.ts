// POST /v1/sessions: a new session, perhaps with a history to go on from.

import type { NewSession as DomainNewSession } from '../../chat/session.ts';
import type { Route } from '../edge.ts';
import { entityTag } from '../entity-tags.ts';
import { idempotencyOf } from '../idempotency.ts';
import { ownerOf } from '../identity.ts';
import { readMessage } from '../messages/read-message.ts';
import { wantsJson } from '../negotiation.ts';
import { sessionPath } from '../problems.ts';
import { ETAG, json, problems, SESSION_LOCATION } from '../responses.ts';
import { CreateHeaders, NoQuery } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { NewSession, Session } from '../schemas/session.ts';
import { presentSession } from './present-session.ts';

export const createSession: Route = (app, { sessions, paths, bodyLimits }) => {
  app.post(
    '/v1/sessions',
    {
      bodyLimit: bodyLimits.contentBytes,
      onRequest: wantsJson,
      schema: {
        operationId: 'createSession',
        summary: 'Create a session',
        tags: ['sessions'],
        querystring: NoQuery,
        headers: CreateHeaders,
        body: ref(NewSession),
        response: {
          201: json('The session.', Session, { ...ETAG, ...SESSION_LOCATION }),
          ...problems({ hasBody: true }, 'session_exists', 'history_full', 'idempotency_mismatch'),
        },
      },
    },
    async (request, reply) => {
      const { messageHistory, ...fields } = request.body;
      const history = messageHistory?.map(readMessage);
      const given = { ...fields, ...(history ? { messageHistory: history } : {}) } as DomainNewSession;
      const idempotency = idempotencyOf(request.headers['idempotency-key'], request.body);
      const session = await sessions.create(ownerOf(request), given, idempotency);
      return reply
        .code(201)
        .header('location', sessionPath(paths, session.id))
        .header('etag', entityTag(session.version))
        .send(presentSession(session, paths));
    },
  );
};
