// Pages of a history. A position in it never moves while it grows, so the cursor is simply a position; each page
// costs what it holds.

import type { KeptMessage, Message } from './content.ts';
import type { Encoded } from './encoded.ts';
import { decodeMessage } from './records.ts';
import { invalidPageToken } from './refusals.ts';
import type { MessageOrder, Page, SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';

interface PageRequest {
  readonly pageSize: number;
  readonly pageToken?: string;
  readonly order: MessageOrder;
}

/** Fails with `invalid_page_token`, `session_not_found`. */
export async function pageOfMessages(
  store: SessionStore,
  key: SessionKey,
  request: PageRequest,
): Promise<Page<Message>> {
  return request.order === 'asc' ? oldestFirst(store, key, request) : newestFirst(store, key, request);
}

async function oldestFirst(store: SessionStore, key: SessionKey, request: PageRequest): Promise<Page<Message>> {
  const start = request.pageToken === undefined ? 0 : positionIn(request.pageToken, 'asc');
  // One more than asked for tells whether there is a next page.
  const read = await store.readMessages(key, {
    start,
    count: request.pageSize + 1,
  });
  const items = read.slice(0, request.pageSize).map(readMessage);
  return read.length > request.pageSize ? { items, nextPageToken: `asc-${start + request.pageSize}` } : { items };
}

async function newestFirst(store: SessionStore, key: SessionKey, request: PageRequest): Promise<Page<Message>> {
  const end = request.pageToken === undefined ? Number.POSITIVE_INFINITY : positionIn(request.pageToken, 'desc');
  // Without a token, or after a rewind to before it, the newest message is the first of the page.
  const { start, read } = (await readBefore(store, key, end, request)) ?? (await readNewest(store, key, request));
  const items = read.map(readMessage).reverse();
  return start > 0 ? { items, nextPageToken: `desc-${start}` } : { items };
}

/** The messages that end there; `undefined` when the history is shorter. */
async function readBefore(store: SessionStore, key: SessionKey, end: number, { pageSize }: PageRequest) {
  if (!Number.isFinite(end)) return undefined;
  const start = Math.max(0, end - pageSize);
  const read = await store.readMessages(key, { start, count: end - start });
  return read.length === end - start ? { start, read } : undefined;
}

async function readNewest(store: SessionStore, key: SessionKey, { pageSize }: PageRequest) {
  const { messageCount } = await store.read(key);
  const start = Math.max(0, messageCount - pageSize);
  return { start, read: await store.readMessages(key, { start, count: messageCount - start }) };
}

/** Which model said it, and what it counted, is for the next request to know. */
function readMessage(record: Encoded): Message {
  const { model: _model, measured: _measured, ...message }: KeptMessage = decodeMessage(record);
  return message;
}

function positionIn(token: string, order: MessageOrder): number {
  const match = /^(asc|desc)-(\d{1,9})$/.exec(token);
  if (match?.[1] !== order) throw invalidPageToken();
  return Number(match[2]);
}
