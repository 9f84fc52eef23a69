// GET /v1/sessions: the caller's sessions, newest activity first. Eventually consistent; costs what the page holds.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { PAGE_SIZE_DEFAULT, SessionsQuery } from '../schemas/parameters.ts';
import { SessionPage } from '../schemas/session.ts';
import { presentSession } from './present-session.ts';

export const listSessions: Route = (app, { sessions, paths }) => {
  app.get(
    '/v1/sessions',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'listSessions',
        summary: 'List sessions',
        tags: ['sessions'],
        querystring: SessionsQuery,
        response: {
          200: json('A page of sessions, without their histories.', SessionPage),
          ...problems({ hasBody: false }, 'invalid_page_token'),
        },
      },
    },
    async (request) => {
      const { pageSize = PAGE_SIZE_DEFAULT, pageToken } = request.query;
      const { items, ...page } = await sessions.list(ownerOf(request), pageSize, pageToken);
      return { sessions: items.map((session) => presentSession(session, paths)), ...page };
    },
  );
};
