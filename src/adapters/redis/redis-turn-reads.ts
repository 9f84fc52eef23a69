// What is read of turns: records, epochs, frames. Reads only, so none of them needs a script.

import { invalidPageToken, sessionNotFound, turnNotFound } from '../../chat/refusals.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import { type EventCursor, REAPER_SEQ } from '../../chat/turn-event.ts';
import type { EventBatch, StoredTurn } from '../../chat/turn-store.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { type Place, placesAfter } from './newest-first.ts';
import type { SessionAccess } from './session-access.ts';
import { number, text } from './stored-session.ts';
import { sumsOf, USAGE_FIELDS } from './usage-fields.ts';

/** Members of the port; promises and errors are described there. */
export class RedisTurnReads {
  protected readonly access: SessionAccess;

  constructor(access: SessionAccess) {
    this.access = access;
  }

  async readTurn(key: SessionKey, turnId: string): Promise<StoredTurn> {
    const { redis } = this.access;
    const { meta } = this.access.keys(key);
    const [exists, [turn]] = await Promise.all([redis.call('EXISTS', meta), this.#readTurns(key, [turnId])]);
    if (exists === 0) throw sessionNotFound();
    if (!turn) throw turnNotFound();
    return turn;
  }

  async listTurns(key: SessionKey, pageSize: number, pageToken?: string): Promise<Page<StoredTurn>> {
    const cursor = pageToken === undefined ? undefined : placeIn(pageToken);
    const { redis } = this.access;
    const { meta, ledger } = this.access.keys(key);
    const [exists, places] = await Promise.all([
      redis.call('EXISTS', meta),
      // One more than asked for tells whether there is a next page.
      placesAfter(redis, ledger, cursor, pageSize + 1),
    ]);
    if (exists === 0) throw sessionNotFound();
    const page = places.slice(0, pageSize);
    const turnIds = page.map(({ member }) => member);
    // What has made room since is passed over.
    const items = (await this.#readTurns(key, turnIds)).filter((turn) => turn !== undefined);
    const last = page.at(-1);
    return last && places.length > pageSize ? { items, nextPageToken: tokenOf(last) } : { items };
  }

  async readQuestion(key: SessionKey, turnId: string): Promise<Uint8Array | undefined> {
    const { newest } = this.access.keys(key);
    return ((await this.access.redis.call('HGET', newest, `${turnId}/question`)) as Uint8Array | null) ?? undefined;
  }

  async epochOf(key: SessionKey, turnId: string): Promise<number> {
    const { redis } = this.access;
    const { meta, turns, ledger } = this.access.keys(key);
    const [exists, epoch, place] = await Promise.all([
      redis.call('EXISTS', meta),
      redis.call('HGET', turns, `${turnId}/epoch`),
      redis.call('ZSCORE', ledger, turnId),
    ]);
    if (exists === 0) throw sessionNotFound();
    if (place === null) throw turnNotFound();
    return number(epoch ?? place);
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

  async readUsage(key: SessionKey): Promise<UsageSums> {
    const { meta } = this.access.keys(key);
    const [version, ...sums] = (await this.access.redis.call('HMGET', meta, 'version', ...USAGE_FIELDS)) as unknown[];
    if (!version) throw sessionNotFound();
    return sumsOf(sums);
  }

  /** In the order of the ids; `undefined` for those that the ledger does not hold. */
  async #readTurns(key: SessionKey, turnIds: readonly string[]): Promise<readonly (StoredTurn | undefined)[]> {
    if (turnIds.length === 0) return [];
    const { redis } = this.access;
    const { turns, newest } = this.access.keys(key);
    const [kept, full] = (await Promise.all([
      redis.call('HMGET', turns, ...turnIds.flatMap((turnId) => [turnId, `${turnId}/superseded`])),
      redis.call('HMGET', newest, ...turnIds),
    ])) as (Uint8Array | null)[][];
    return turnIds.map((turnId, index) => {
      const record = full?.[index] ?? kept?.[2 * index];
      return record ? { turnId, record, isSuperseded: Boolean(kept?.[2 * index + 1]) } : undefined;
    });
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

function tokenOf({ score, member }: Place): string {
  return `turn-${score}.${member}`;
}

function placeIn(token: string): Place {
  const match = /^turn-(\d{1,16}(?:\.5)?)\.([A-Za-z0-9_-]{1,128})$/.exec(token);
  if (!match?.[1] || !match[2]) throw invalidPageToken();
  return { score: Number(match[1]), member: match[2] };
}
