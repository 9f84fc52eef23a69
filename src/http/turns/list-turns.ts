// GET /v1/sessions/{sessionId}/turns: every turn that is kept, in the history or not, newest first; costs what the page holds.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { PAGE_SIZE_DEFAULT, SessionParams, TurnsQuery } from '../schemas/parameters.ts';
import { TurnPage } from '../schemas/turn.ts';

export const listTurns: Route = (app, { sessions }) => {
  app.get(
    '/v1/sessions/:sessionId/turns',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'listTurns',
        summary: 'List turns',
        tags: ['turns'],
        params: SessionParams,
        querystring: TurnsQuery,
        response: {
          200: json('A page of the turns, newest first; those that run and wait are among them.', TurnPage),
          ...problems({ hasBody: false }, 'session_not_found', 'invalid_page_token'),
        },
      },
    },
    async (request) => {
      const { pageSize = PAGE_SIZE_DEFAULT, pageToken } = request.query;
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const { items, ...rest } = await chat.turns({ pageSize, ...(pageToken === undefined ? {} : { pageToken }) });
      return { turns: items, ...rest };
    },
  );
};
