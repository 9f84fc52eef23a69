// GET /v1/sessions/{sessionId}/messages: the committed history, oldest or newest first; costs what the page holds.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { MessagePage } from '../schemas/message.ts';
import { MessagesQuery, PAGE_SIZE_DEFAULT, SessionParams } from '../schemas/parameters.ts';

export const listMessages: Route = (app, { sessions }) => {
  app.get(
    '/v1/sessions/:sessionId/messages',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'listMessages',
        summary: 'List messages',
        tags: ['messages'],
        params: SessionParams,
        querystring: MessagesQuery,
        response: {
          200: json('A page of the history.', MessagePage),
          ...problems({ hasBody: false }, 'session_not_found', 'invalid_page_token'),
        },
      },
    },
    async (request) => {
      const { pageSize = PAGE_SIZE_DEFAULT, pageToken, order = 'asc' } = request.query;
      const page = { pageSize, order, ...(pageToken === undefined ? {} : { pageToken }) };
      const chat = sessions.open(ownerOf(request), request.params.sessionId);
      const { items, ...rest } = await chat.messageHistory(page);
      return { messages: items, ...rest };
    },
  );
};
