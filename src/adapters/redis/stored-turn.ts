// What is read of one turn: its record, its epoch, its frames. Reads only, so none of them needs a script.

import { sessionNotFound, turnNotFound } from '../../chat/refusals.ts';
import type { EventBatch } from '../../chat/session-store.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type { SessionKeys } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { number, text } from './stored-session.ts';

export async function readTurn(redis: RedisConnection, keys: SessionKeys, turnId: string): Promise<Uint8Array> {
  const [exists, record, full] = await Promise.all([
    redis.call('EXISTS', keys.meta),
    redis.call('HGET', keys.turns, turnId),
    redis.call('HGET', keys.newest, turnId),
  ]);
  if (exists === 0) throw sessionNotFound();
  const found = full ?? record;
  if (!found) throw turnNotFound();
  return found as Uint8Array;
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
  const entries = await redis.call('XRANGE', events, `${epoch}-${afterSeq + 1}`, `${epoch}`);
  return (entries as [Uint8Array, Uint8Array[]][]).map(([id, [, after, , frames]]) => {
    const lastSeq = Number(text(id).split('-')[1]);
    return { afterSeq: number(after), lastSeq, frames: frames ?? new Uint8Array() };
  });
}

/** The last word of a script that tells a producer to end its turn. */
export function cancelOf(word: unknown): { readonly cancel?: Keep } {
  return word ? { cancel: text(word) as Keep } : {};
}
