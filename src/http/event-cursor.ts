// Where a client has left off, from its headers or its query.

import { invalidField } from '../chat/errors.ts';
import { type EventCursor, readEventId } from '../chat/turn-event.ts';

interface CursorHeaders {
  readonly 'last-event-id'?: string | string[];
}

/**
 * The header wins: a browser that reconnects sends it beside the address it was given. Fails with `invalid_argument` for
 * what is no id of an event.
 */
export function cursorIn(headers: CursorHeaders, after?: string): EventCursor | undefined {
  const header = headers['last-event-id'];
  const [name, id] = header === undefined ? ['after', after] : ['last-event-id', String(header)];
  if (id === undefined) return undefined;
  const cursor = readEventId(id);
  if (!cursor) throw invalidField(name, 'is not the id of an event');
  return cursor;
}
