// POST /v1/sessions/{sessionId}/messages/stream: one question, its answer as Server-Sent Events.

import { watchConnection } from '../connection.ts';
import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsEventStream } from '../negotiation.ts';
import { problems } from '../responses.ts';
import { NoQuery, SessionParams, StreamHeaders } from '../schemas/parameters.ts';
import { ref } from '../schemas/schema.ts';
import { StreamMessage } from '../schemas/send.ts';
import { addressTurn } from './answer-send.ts';
import { answerStream, STREAM_ANSWER } from './answer-stream.ts';
import { readSend } from './read-send.ts';
import { SEND_PROBLEMS } from './send-problems.ts';

export const streamMessage: Route = (app, deps) => {
  app.post(
    '/v1/sessions/:sessionId/messages/stream',
    {
      bodyLimit: deps.bodyLimits.contentBytes,
      // The plugin attaches the lifecycle; negotiation, heartbeats and the data path are ours.
      sse: { kind: 'manual', heartbeat: false },
      onRequest: wantsEventStream,
      schema: {
        operationId: 'streamMessage',
        summary: 'Send a message, stream the answer',
        tags: ['messages'],
        params: SessionParams,
        querystring: NoQuery,
        headers: StreamHeaders,
        body: ref(StreamMessage),
        response: { ...STREAM_ANSWER, ...problems({ hasBody: true }, ...SEND_PROBLEMS) },
      },
    },
    async (request, reply) => {
      const { headers, body } = request;
      const owner = ownerOf(request);
      const chat = deps.sessions.open(owner, request.params.sessionId);
      const connection = watchConnection(reply);
      const admit = () => deps.streams.take(owner, reply);
      const sent = await chat.sendMessageStreaming({ ...readSend(body, headers), admit });
      addressTurn(reply, { sessionId: chat.key.sessionId, turnId: sent.turnId }, deps.paths);
      return answerStream(reply, sent, { headers, onDisconnect: body.onDisconnect, connection }, deps);
    },
  );
};
