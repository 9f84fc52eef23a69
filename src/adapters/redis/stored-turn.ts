// What is read of one turn: its record, its epoch, its frames. Reads only, so none of them needs a script.

import { sessionNotFound, turnNotFound } from '../../chat/refusals.ts';
import type { EventBatch, StoredTurn } from '../../chat/session-store.ts';
import { type EventCursor, REAPER_SEQ } from '../../chat/turn-event.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type { SessionKeys } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { number, text } from './stored-session.ts';

export async function readTurn(redis: RedisConnection, keys: SessionKeys, turnId: string): Promise<StoredTurn> {
  const [exists, kept, full] = await Promise.all([
    redis.call('EXISTS', keys.meta),
    redis.call('HMGET', keys.turns, turnId, `${turnId}/superseded`),
    redis.call('HGET', keys.newest, turnId),
  ]);
  if (exists === 0) throw sessionNotFound();
  const [chosenOnly, superseded] = kept as (Uint8Array | null)[];
  const record = (full as Uint8Array | null) ?? chosenOnly;
  if (!record) throw turnNotFound();
  return { record, isSuperseded: Boolean(superseded) };
}

export async function readEpoch(redis: RedisConnection, keys: SessionKeys, turnId: string): Promise<number> {
  const [exists, epoch] = await Promise.all([
    redis.call('EXISTS', keys.meta),
    redis.call('ZSCORE', keys.ledger, turnId),
  ]);
  if (exists === 0) throw sessionNotFound();
  if (epoch === null) throw turnNotFound();
  return number(epoch);
}

export async function readFrames(
  redis: RedisConnection,
  { events }: SessionKeys,
  epoch: number,
  afterSeq: number,
): Promise<readonly EventBatch[]> {
  return (await readEntries(redis, events, `${epoch}-${afterSeq + 1}`, `${epoch}`)).map(({ batch }) => batch);
}

export async function readEvents(
  redis: RedisConnection,
  { events }: SessionKeys,
  { epoch, seq }: EventCursor,
): Promise<readonly (EventBatch & { readonly epoch: number })[]> {
  const entries = await readEntries(redis, events, `(${epoch}-${seq}`, '+');
  return entries.map(({ epoch: of, batch }) => ({ epoch: of, ...batch }));
}

/** An entry's id is that of its last event. */
async function readEntries(redis: RedisConnection, events: string, from: string, to: string) {
  const entries = (await redis.call('XRANGE', events, from, to)) as [Uint8Array, Uint8Array[]][];
  return entries.map(([id, [, after, , frames]]) => {
    const [epoch, lastSeq] = text(id).split('-').map(Number) as [number, number];
    return { epoch, batch: { afterSeq: number(after), lastSeq, frames: frames ?? new Uint8Array() } };
  });
}

/** No turn has an event after its reaper's. */
export async function readCursor(redis: RedisConnection, { meta }: SessionKeys): Promise<EventCursor> {
  const [epoch, turn] = (await redis.call('HMGET', meta, 'epoch', 'turn')) as (Uint8Array | null)[];
  if (!epoch) throw sessionNotFound();
  return { epoch: number(epoch), seq: turn ? 0 : REAPER_SEQ };
}

/** The last word of a script that tells a producer to end its turn. */
export function cancelOf(word: unknown): { readonly cancel?: Keep } {
  return word ? { cancel: text(word) as Keep } : {};
}
