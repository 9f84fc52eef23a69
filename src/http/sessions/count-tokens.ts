// POST /v1/sessions/{sessionId}/count-tokens: what the next request would cost. It reads the committed history, makes no
// turn and changes nothing.

import { textPart } from '../../chat/content.ts';
import { watchConnection } from '../connection.ts';
import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { optionalBody } from '../json-body.ts';
import { MODEL_PROBLEMS } from '../messages/send-problems.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { NoQuery, SessionParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { CountTokens, TokenCount } from '../schemas/token-count.ts';

export const countTokens: Route = (app, { sessions, bodyLimits }) => {
  app.post(
    '/v1/sessions/:sessionId/count-tokens',
    {
      bodyLimit: bodyLimits.contentBytes,
      config: { isRead: true },
      onRequest: wantsJson,
      preValidation: optionalBody,
      schema: {
        operationId: 'countTokens',
        summary: 'Count the tokens of the next request',
        tags: ['sessions'],
        params: SessionParams,
        querystring: NoQuery,
        body: ref(CountTokens),
        'x-optional-body': true,
        response: {
          200: json('The count.', TokenCount),
          ...problems({ hasBody: true }, 'session_not_found', ...MODEL_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const { message, parts } = request.body;
      const question = message === undefined ? parts : [textPart(message)];
      const abort = new AbortController();
      watchConnection(reply).onGone(() => abort.abort());
      return sessions.open(ownerOf(request), request.params.sessionId).countTokens(question, abort.signal);
    },
  );
};
