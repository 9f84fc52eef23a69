// What is read of turns: records, epochs, frames. Reads only, so none of them needs a script.

import { sessionNotFound, turnNotFound } from '../../chat/refusals.ts';
import type { SessionKey } from '../../chat/session.ts';
import { type EventCursor, REAPER_SEQ } from '../../chat/turn-event.ts';
import type { EventBatch, StoredTurn } from '../../chat/turn-store.ts';
import type { SessionAccess } from './session-access.ts';
import { number, text } from './stored-session.ts';

/** Members of the port; promises and errors are described there. */
export class RedisTurnReads {
  protected readonly access: SessionAccess;

  constructor(access: SessionAccess) {
    this.access = access;
  }

  async readTurn(key: SessionKey, turnId: string): Promise<StoredTurn> {
    const { redis } = this.access;
    const { meta, turns, newest } = this.access.keys(key);
    const [exists, kept, full] = await Promise.all([
      redis.call('EXISTS', meta),
      redis.call('HMGET', turns, turnId, `${turnId}/superseded`),
      redis.call('HGET', newest, turnId),
    ]);
    if (exists === 0) throw sessionNotFound();
    const [chosenOnly, superseded] = kept as (Uint8Array | null)[];
    const record = (full as Uint8Array | null) ?? chosenOnly;
    if (!record) throw turnNotFound();
    return { record, isSuperseded: Boolean(superseded) };
  }

  async readQuestion(key: SessionKey, turnId: string): Promise<Uint8Array | undefined> {
    const { newest } = this.access.keys(key);
    return ((await this.access.redis.call('HGET', newest, `${turnId}/question`)) as Uint8Array | null) ?? undefined;
  }

  async epochOf(key: SessionKey, turnId: string): Promise<number> {
    const { redis } = this.access;
    const { meta, ledger } = this.access.keys(key);
    const [exists, epoch] = await Promise.all([redis.call('EXISTS', meta), redis.call('ZSCORE', ledger, turnId)]);
    if (exists === 0) throw sessionNotFound();
    if (epoch === null) throw turnNotFound();
    return number(epoch);
  }

  async readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    return (await this.#readEntries(key, `${epoch}-${afterSeq + 1}`, `${epoch}`)).map(({ batch }) => batch);
  }

  async readEvents(
    key: SessionKey,
    { epoch, seq }: EventCursor,
  ): Promise<readonly (EventBatch & { readonly epoch: number })[]> {
    const entries = await this.#readEntries(key, `(${epoch}-${seq}`, '+');
    return entries.map(({ epoch: of, batch }) => ({ epoch: of, ...batch }));
  }

  /** No turn has an event after its reaper's. */
  async cursorNow(key: SessionKey): Promise<EventCursor> {
    const { meta } = this.access.keys(key);
    const [epoch, turn] = (await this.access.redis.call('HMGET', meta, 'epoch', 'turn')) as (Uint8Array | null)[];
    if (!epoch) throw sessionNotFound();
    return { epoch: number(epoch), seq: turn ? 0 : REAPER_SEQ };
  }

  /** An entry's id is that of its last event. */
  async #readEntries(key: SessionKey, from: string, to: string) {
    const { events } = this.access.keys(key);
    const entries = (await this.access.redis.call('XRANGE', events, from, to)) as [Uint8Array, Uint8Array[]][];
    return entries.map(([id, [, after, , frames]]) => {
      const [epoch, lastSeq] = text(id).split('-').map(Number) as [number, number];
      return { epoch, batch: { afterSeq: number(after), lastSeq, frames: frames ?? new Uint8Array() } };
    });
  }
}
