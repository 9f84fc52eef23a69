// POST /v1/sessions/{sessionId}/turns/{turnId}/regenerate/stream: the same, answered as Server-Sent Events.

import { watchConnection } from '../connection.ts';
import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { optionalBody } from '../json-body.ts';
import { addressTurn } from '../messages/answer-send.ts';
import { answerStream, STREAM_ANSWER } from '../messages/answer-stream.ts';
import { readRegenerate } from '../messages/read-send.ts';
import { REGENERATE_PROBLEMS } from '../messages/send-problems.ts';
import { wantsEventStream } from '../negotiation.ts';
import { problems } from '../responses.ts';
import { NoQuery, StreamHeaders, TurnParams } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { RegenerateStream } from '../schemas/send.ts';
import { REGENERATE_DESCRIPTION } from './regenerate.ts';

export const regenerateStream: Route = (app, deps) => {
  app.post(
    '/v1/sessions/:sessionId/turns/:turnId/regenerate/stream',
    {
      bodyLimit: deps.bodyLimits.smallBytes,
      // The plugin attaches the lifecycle; negotiation, heartbeats and the data path are ours.
      sse: { kind: 'manual', heartbeat: false },
      onRequest: wantsEventStream,
      preValidation: optionalBody,
      schema: {
        operationId: 'regenerateStream',
        summary: 'Answer the question of a turn again, stream the answer',
        description: REGENERATE_DESCRIPTION,
        tags: ['turns'],
        params: TurnParams,
        querystring: NoQuery,
        headers: StreamHeaders,
        body: ref(RegenerateStream),
        'x-optional-body': true,
        response: { ...STREAM_ANSWER, ...problems({ hasBody: true }, ...REGENERATE_PROBLEMS) },
      },
    },
    async (request, reply) => {
      const { headers, body } = request;
      const { sessionId, turnId } = request.params;
      const connection = watchConnection(reply);
      const owner = ownerOf(request);
      const chat = deps.sessions.open(owner, sessionId);
      const admit = () => deps.streams.take(owner, reply);
      const sent = await chat.sendMessageStreaming({ ...readRegenerate(turnId, body, headers), admit });
      addressTurn(reply, { sessionId, turnId: sent.turnId }, deps.paths);
      return answerStream(reply, sent, { headers, onDisconnect: body.onDisconnect, connection }, deps);
    },
  );
};
