// Parameters of paths, queries and headers.

import { Type } from 'typebox';
import { closed, Id, words } from './schema.ts';

export const SessionParams = closed({ sessionId: Id });
export const TurnParams = closed({ sessionId: Id, turnId: Id });

const paging = {
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  pageToken: Type.Optional(Type.String({ maxLength: 512, description: 'From `nextPageToken` of the page before.' })),
};

export const SessionsQuery = closed(paging);
export const MessagesQuery = closed({ ...paging, order: Type.Optional(words(['asc', 'desc'], { default: 'asc' })) });
/** For routes that take no query: a misspelled parameter is told, not ignored. */
export const NoQuery = closed({});

export const PAGE_SIZE_DEFAULT = 50;

/** Headers are described, not closed: proxies and browsers add their own. */
export const IfMatchHeaders = Type.Object({
  'if-match': Type.Optional(Type.String({ description: 'The ETag that the session must have, or `*`.' })),
});

/** Where a stream goes on. The header is what browsers send by themselves. */
const EVENT_ID_LENGTH = { maxLength: 64 };
export const EventsQuery = closed({
  after: Type.Optional(Type.String({ ...EVENT_ID_LENGTH, description: 'The id of the last event that was seen.' })),
});
export const LastEventIdHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ ...EVENT_ID_LENGTH, description: 'The id of the last event that was seen; wins over `after`.' }),
  ),
});
