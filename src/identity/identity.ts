// Who calls, and what they may do: the port that every kind of identity (`AUTH`) implements.

import type { IncomingMessage } from 'node:http';
import { ChatError } from '../chat/errors.ts';

/** `read` is looking; `chat` is everything. */
export type Scope = 'chat' | 'read';

export interface Caller {
  /** Owns sessions; another owner's are not there. May hold any text. */
  readonly owner: string;
  readonly scope: Scope;
  /** When the right ends by itself, in milliseconds of Unix time. */
  readonly untilMs?: number;
}

export interface Identity {
  /**
   * The caller of a request, by its headers and its connection alone. May be asked again while an answer is being
   * streamed. Fails with `unauthenticated`, or with `identity_unavailable` when that cannot be told now.
   */
  identify(request: IncomingMessage): Promise<Caller>;
  /** What a 401 names as the way in (RFC 9110, 11.6.1). */
  readonly challenge: string;
  close(): void;
}

export const REALM = 'realm="chat-session-proxy"';

/** With `AUTH=none`. */
export const everybody: Identity = {
  identify: async () => ({ owner: 'anyone', scope: 'chat' }),
  challenge: `Bearer ${REALM}`,
  close: () => {},
};

/** Longer names are nobody's, and would be carried through every request. */
const OWNER_LENGTH_MAX = 512;

export function isOwner(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= OWNER_LENGTH_MAX;
}

/** Those that hold neither of our words were given out for something else, by people who want their users to chat. */
export function scopeOf(words: readonly string[]): Scope {
  return words.includes('read') && !words.includes('chat') ? 'read' : 'chat';
}

/**
 * The one value of a header. A second one may have been put there for somebody else to read, so it is a refusal, as are
 * names with `_` for `-`, which some gateways let pass and take for the same.
 */
export function onlyHeader({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  const isSame = (raw: string) => raw.toLowerCase().replaceAll('_', '-') === name;
  const found = rawHeaders.flatMap((raw, i) => (i % 2 === 0 && isSame(raw) ? [[raw, rawHeaders[i + 1] ?? '']] : []));
  const [first] = found;
  if (!first) return undefined;
  const [raw = '', value = ''] = first;
  if (found.length > 1) throw refused(`The header ${name} was sent more than once.`);
  if (raw.includes('_')) throw refused(`The header ${name} is written with hyphens.`);
  // Not `trim`: bytes of UTF-8 come as characters, and some of them count as white space.
  return value.replace(/^[ \t]+|[ \t]+$/g, '');
}

/** Nobody has said who calls. */
export function missing(detail: string): ChatError {
  return new ChatError('unauthenticated', detail);
}

/** Somebody has, and it is not good. */
export function refused(detail: string, cause?: unknown): ChatError {
  return new ChatError('unauthenticated', detail, { cause, isCredentialRefused: true });
}

/** The token of `Authorization: Bearer` (RFC 6750, 2.1); other schemes are somebody else's. */
export function bearerToken(request: IncomingMessage): string | undefined {
  const [, token] = /^bearer +([^ \t,]+)$/i.exec(onlyHeader(request, 'authorization') ?? '') ?? [];
  return token;
}
