// POST /v1/sessions/{sessionId}/turns/{turnId}/choose: another answer of the newest committed turn becomes the one in the
// history. Idempotent.

import type { Route } from '../edge.ts';
import { wantedVersion } from '../entity-tags.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { IfMatchHeaders, NoQuery, TurnParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { ChooseCandidate, Turn } from '../schemas/turn.ts';

export const chooseCandidate: Route = (app, { sessions }) => {
  app.post(
    '/v1/sessions/:sessionId/turns/:turnId/choose',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'chooseCandidate',
        summary: 'Put another answer into the history',
        description: 'Of the turn that owns the last two messages. The chosen answer becomes a new bot message.',
        tags: ['turns'],
        params: TurnParams,
        querystring: NoQuery,
        headers: IfMatchHeaders,
        body: ref(ChooseCandidate),
        response: {
          200: json('The turn as it is now.', Turn),
          ...problems(
            { hasBody: true },
            'session_not_found',
            'turn_not_found',
            'not_latest_turn',
            'turn_in_progress',
            'version_mismatch',
            'overloaded',
          ),
        },
      },
    },
    (request) => {
      const { sessionId, turnId } = request.params;
      const ifVersion = wantedVersion(request.headers['if-match']);
      const { candidate } = request.body;
      return sessions.open(ownerOf(request), sessionId).choose({ turnId, candidate, ifVersion });
    },
  );
};
