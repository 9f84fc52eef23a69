// GET /v1/sessions/{sessionId}/events: the events of all turns of a session, whoever sends them; for second tabs. It stays
// open while nothing happens.

import type { Route } from '../edge.ts';
import { cursorIn } from '../event-cursor.ts';
import { sendView } from '../event-stream.ts';
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
        description: [
          'Without a cursor the running turn is told from its beginning, then whatever comes. With one it goes on after that',
          'event, as far as events are kept: those of the running turn and of the one before, for a limited time. Who was away',
          'for longer is told from the first one that is kept, without a word of what is gone (an `EventSource` would take an',
          'error for final): after a pause read the messages, or the turns, of the session. The id of an event that the session',
          'cannot have had is a 400.',
        ].join(' '),
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
        await sendView(reply, view, sse);
      } finally {
        view.release();
      }
      return reply;
    },
  );
};
