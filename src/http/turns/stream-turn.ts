// GET /v1/sessions/{sessionId}/turns/{turnId}/events: the events of a turn, from the beginning or after the last one that
// was seen, then what comes; on any replica, as often as wanted.

import type { Route } from '../edge.ts';
import { cursorIn } from '../event-cursor.ts';
import { sendView } from '../event-stream.ts';
import { ownerOf } from '../identity.ts';
import { wantsEventStream } from '../negotiation.ts';
import { eventStream, NO_CONTENT, problems } from '../responses.ts';
import { EventStream } from '../schemas/events.ts';
import { EventsQuery, LastEventIdHeaders, TurnParams } from '../schemas/parameters.ts';

export const streamTurn: Route = (app, { sessions, sse }) => {
  app.get(
    '/v1/sessions/:sessionId/turns/:turnId/events',
    {
      // The plugin attaches the lifecycle; negotiation, heartbeats and the data path are ours.
      sse: { kind: 'manual', heartbeat: false },
      onRequest: wantsEventStream,
      schema: {
        operationId: 'streamTurn',
        summary: 'Watch a turn, from the beginning or from where one has left off',
        tags: ['turns'],
        params: TurnParams,
        querystring: EventsQuery,
        headers: LastEventIdHeaders,
        response: {
          200: eventStream('The events after the cursor, then what comes.', EventStream),
          204: { ...NO_CONTENT, description: 'The turn is over, and nothing comes after the cursor.' },
          ...problems({ hasBody: false }, 'session_not_found', 'turn_not_found', 'log_expired'),
        },
      },
    },
    async (request, reply) => {
      const { sessionId, turnId } = request.params;
      const cursor = cursorIn(request.headers, request.query.after);
      const view = await sessions
        .open(ownerOf(request), sessionId)
        .view(cursor === undefined ? { turnId } : { turnId, cursor });
      if (!view) return reply.code(204).send();
      try {
        await sendView(reply, view, sse);
      } finally {
        view.release();
      }
      return reply;
    },
  );
};
