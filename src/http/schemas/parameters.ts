// Parameters of paths, queries and headers.

import { Type } from 'typebox';
import { closed, Id, words } from './schema.ts';
import { Month } from './usage.ts';

export const SessionParams = closed({ sessionId: Id });
export const TurnParams = closed({ sessionId: Id, turnId: Id });

const paging = {
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  pageToken: Type.Optional(Type.String({ maxLength: 512, description: 'From `nextPageToken` of the page before.' })),
};

export const SessionsQuery = closed(paging);
export const TurnsQuery = closed(paging);
export const MessagesQuery = closed({ ...paging, order: Type.Optional(words(['asc', 'desc'], { default: 'asc' })) });
export const UsageQuery = closed({
  month: Type.Optional({ ...Month, description: '`YYYY-MM`, UTC; the current month when absent.' }),
});
/** For routes that take no query: a misspelled parameter is told, not ignored. */
export const NoQuery = closed({});

export const PAGE_SIZE_DEFAULT = 50;

/** Headers are described, not closed: proxies and browsers add their own. */
const ifMatch = {
  'if-match': Type.Optional(Type.String({ description: 'The ETag that the session must have, or `*`.' })),
};
const idempotencyKey = {
  'idempotency-key': Type.Optional(
    Type.String({
      description: 'Names this request: the same one is answered once more, another one is refused. 24 h.',
    }),
  ),
};
export const IfMatchHeaders = Type.Object(ifMatch);

/** Where a stream goes on. The header is what browsers send by themselves. */
const EVENT_ID_LENGTH = { maxLength: 64 };
export const EventsQuery = closed({
  after: Type.Optional(Type.String({ ...EVENT_ID_LENGTH, description: 'The id of the last event that was seen.' })),
});
const lastEventId = {
  'last-event-id': Type.Optional(
    Type.String({ ...EVENT_ID_LENGTH, description: 'The id of the last event that was seen; wins over `after`.' }),
  ),
};
export const LastEventIdHeaders = Type.Object(lastEventId);
export const SendHeaders = Type.Object({
  ...ifMatch,
  ...idempotencyKey,
  prefer: Type.Optional(Type.String({ description: '`respond-async`: 202 at once, with the address of the turn.' })),
});
/** Of a send that is sent again. */
const lastEventIdSeen = {
  'last-event-id': Type.Optional(
    Type.String({
      ...EVENT_ID_LENGTH,
      description:
        'With an `Idempotency-Key` that has a turn: the id of its last event that was seen. When its events are not kept any ' +
        'more, 410 `log_expired`: what was missed cannot be told from what was seen. Read the turn (`Location`), or send again ' +
        'without this header: then the whole is told, in fewer pieces.',
    }),
  ),
};
export const StreamHeaders = Type.Object({ ...ifMatch, ...idempotencyKey, ...lastEventIdSeen });
export const CreateHeaders = Type.Object(idempotencyKey);
export const ChangeHeaders = Type.Object({ ...ifMatch, ...idempotencyKey });
