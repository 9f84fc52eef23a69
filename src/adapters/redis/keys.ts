// Every key in Redis is spelled here, and nowhere else. All keys of a session share one hash tag, so that a script
// always stays on one slot of a cluster; an owner's list has a slot of its own.

import { createHash } from 'node:crypto';
import type { Place, Requester } from '../../chat/quotas.ts';
import type { SessionKey } from '../../chat/session.ts';

export interface SessionKeys {
  /** Hash: configuration, version, counts, epoch, who runs, sums of tokens. The channel that rings has the same name. */
  readonly meta: string;
  /** List: one serialized message each. */
  readonly history: string;
  /** Stream: frames of the running turn and of the one before it. */
  readonly events: string;
  /** Hash: turn id → record, `<turn id>/end` → session version when it had ended, `<turn id>/idem` → idempotency key,
   * `<turn id>/superseded` when its messages have been removed, `<turn id>/wait` → until when its process is there to begin it, while it waits,
   * `<turn id>/epoch` when it has waited before it began. */
  readonly turns: string;
  /** Sorted set: turn id by the epoch that it began with, or, if it had to wait, by half of one, of the time when it came. */
  readonly ledger: string;
  /** Hash: `<turn id>/question` until it is answered, and turn id → all candidates, of the newest turns. */
  readonly newest: string;
  /** Hash: idempotency key → fingerprint, time of its end, turn id or `/import`; `/imports`: the newest keys of imports. */
  readonly idem: string;
  /** Sorted set: ids of the turns that wait, in their order. */
  readonly queue: string;
}

/**
 * Owners come from identity providers and may hold anything: hashed (128 bits), so that no owner can spell another's
 * key, choose a slot, or be read out of a key. As UTF-16, because UTF-8 would make all lone surrogates the same.
 * Session ids match `^[A-Za-z0-9_-]{1,128}$` (checked at the edge).
 */
function ownerTag(owner: string): string {
  let tag = tags.get(owner);
  if (tag === undefined) {
    tag = createHash('sha256').update(owner, 'utf16le').digest('base64url').slice(0, 22);
    if (tags.size >= TAGS_MAX) tags.clear();
    tags.set(owner, tag);
  }
  return tag;
}

/** Every command of a turn names its owner. Those that were met lately. */
const tags = new Map<string, string>();
const TAGS_MAX = 10_000;

/** What keys of the session have between their braces: the same for all of them, and for those of no other session. */
export function sessionAddress({ owner, sessionId }: SessionKey): string {
  return `${ownerTag(owner)}:${sessionId}`;
}

export function sessionKeys(prefix: string, key: SessionKey): SessionKeys {
  const base = `${prefix}:{${sessionAddress(key)}}`;
  return {
    meta: `${base}:meta`,
    history: `${base}:history`,
    events: `${base}:events`,
    turns: `${base}:turns`,
    ledger: `${base}:ledger`,
    newest: `${base}:newest`,
    idem: `${base}:idem`,
    queue: `${base}:queue`,
  };
}

/** Pattern: the `meta` keys of all sessions. A prefix has no character that means anything in it. */
export function metaKeys(prefix: string): string {
  return `${prefix}:{*:*}:meta`;
}

export function metaKeyAt(prefix: string, address: string): string {
  return `${prefix}:{${address}}:meta`;
}

/** The other way round. */
export function addressIn(prefix: string, metaKey: string): string {
  return metaKey.slice(`${prefix}:{`.length, -'}:meta'.length);
}

/** In the order in which scripts that take all of them declare them. */
export function allKeys(keys: SessionKeys): readonly string[] {
  return [keys.meta, keys.history, keys.events, keys.turns, keys.ledger, keys.newest, keys.idem, keys.queue];
}

/** Sorted set: the owner's session ids by time of their newest activity. */
export function sessionListKey(prefix: string, owner: string): string {
  return `${prefix}:{${ownerTag(owner)}}:sessions`;
}

/** Sorted set: the owner's session ids by the time of their end. */
export function lifetimesKey(prefix: string, owner: string): string {
  return `${prefix}:{${ownerTag(owner)}}:lifetimes`;
}

/** Hash: the caller's requests of the last minute, by steps of time. An address is hashed like an owner, on a slot of its own. */
export function requestsKey(prefix: string, { kind, name }: Requester): string {
  return `${prefix}:{${kind === 'address' ? 'address:' : ''}${ownerTag(name)}}:requests`;
}

/** Sorted set: the places of one kind that the owner holds, by the end of their leases. */
export function placesKey(prefix: string, { owner, kind }: Omit<Place, 'id'>): string {
  return `${prefix}:{${ownerTag(owner)}}:places:${kind}`;
}

/** Hash: what the owner's turns of a month (`YYYY-MM`) have used. */
export function ownerUsageKey(prefix: string, owner: string, month: string): string {
  return `${prefix}:{${ownerTag(owner)}}:usage:${month}`;
}

/** Sorted set: `<session id>/<epoch>` of the owner's turns that were counted lately, by time. */
export function countedTurnsKey(prefix: string, owner: string): string {
  return `${prefix}:{${ownerTag(owner)}}:counted`;
}

/** String: which session a keyed creation has made. `name` is the idempotency key, digested. */
export function creationKey(prefix: string, owner: string, name: string): string {
  return `${prefix}:{${ownerTag(owner)}}:creation:${name}`;
}

/** Hash: digests of API keys → who holds them. */
export function apiKeysKey(prefix: string): string {
  return `${prefix}:api-keys`;
}

/** Channel: what one replica is told by the others. */
export function replicaChannel(prefix: string, replica: string): string {
  return `${prefix}:replica:${replica}`;
}
