// POST /v1/sessions/{sessionId}/rewind: takes the history back to a message. The turns stay readable.

import type { Static } from 'typebox';
import { invalidField } from '../../chat/errors.ts';
import type { RewindTarget } from '../../chat/session.ts';
import type { Route } from '../edge.ts';
import { entityTag, wantedVersion } from '../entity-tags.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { ETAG, json, problems } from '../responses.ts';
import { IfMatchHeaders, NoQuery, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { RewindSession, Session } from '../schemas/session.ts';
import { presentSession } from './present-session.ts';

export const rewindSession: Route = (app, { sessions, paths }) => {
  app.post(
    '/v1/sessions/:sessionId/rewind',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'rewindSession',
        summary: 'Remove the newest messages',
        description:
          'What comes after the message is removed; the turns stay, and say that they are superseded. The last message ' +
          'that stays is one of the bot, and function calls keep their responses.',
        tags: ['sessions'],
        params: SessionParams,
        querystring: NoQuery,
        headers: IfMatchHeaders,
        body: ref(RewindSession),
        response: {
          200: json('The session as it is now.', Session, ETAG),
          ...problems({ hasBody: true }, 'session_not_found', 'turn_in_progress', 'version_mismatch', 'overloaded'),
        },
      },
    },
    async (request, reply) => {
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const session = await chat.rewind(targetOf(request.body), wantedVersion(request.headers['if-match']));
      return reply.header('etag', entityTag(session.version)).send(presentSession(session, paths));
    },
  );
};

function targetOf({ toMessageId, toLength }: Static<typeof RewindSession>): RewindTarget {
  if (toMessageId !== undefined) return { toMessageId };
  if (toLength !== undefined) return { toLength };
  throw invalidField('', 'must hold either toMessageId or toLength');
}
