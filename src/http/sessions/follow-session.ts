// GET /v1/sessions/{sessionId}/events: the events of all turns of a session, whoever sends them; for second tabs. It stays
// open while nothing happens.

import type { Route } from '../edge.ts';
import { cursorIn } from '../event-cursor.ts';
import { sendEvents } from '../event-stream.ts';
import { ownerOf } from '../identity.ts';
import { wantsEventStream } from '../negotiation.ts';
import { eventStream, problems } from '../responses.ts';
import { EventStream } from '../schemas/events.ts';
import { EventsQuery, LastEventIdHeaders, SessionParams } from '../schemas/parameters.ts';

export const followSession: Route = (app, { sessions, sse }) => {
  app.get(
    '/v1/sessions/:sessionId/events',
    {
      // The plugin attaches the lifecycle; negotiation, heartbeats and the data path are ours.
      sse: { kind: 'manual', heartbeat: false },
      onRequest: wantsEventStream,
      schema: {
        operationId: 'followSession',
        summary: 'Watch all turns of a session',
        tags: ['sessions'],
        params: SessionParams,
        querystring: EventsQuery,
        headers: LastEventIdHeaders,
        response: {
          200: eventStream('The running turn from its beginning, then whatever comes.', EventStream),
          ...problems({ hasBody: false }, 'session_not_found'),
        },
      },
    },
    async (request, reply) => {
      const cursor = cursorIn(request.headers, request.query.after);
      const view = await sessions.open(ownerOf(request), request.params.sessionId).follow(cursor);
      try {
        await sendEvents(reply, view, sse);
      } finally {
        view.release();
      }
      return reply;
    },
  );
};
