// listTurns: all turns that are kept, newest first, page by page, whatever happens to them meanwhile.

import { describe, expect, it } from 'vitest';
import type { SessionKey } from '../../../src/chat/session.ts';
import type { SessionStore } from '../../../src/chat/session-store.ts';
import {
  aFailure,
  aKey,
  anEnding,
  aReap,
  aRewind,
  aSession,
  aTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  failTurn,
  plain,
  refusalOf,
} from '../builders.ts';
import { type Bench, CONFORMANCE_RULES } from './bench.ts';

const { ledgerTurnsMax, ledgerBytesMax } = CONFORMANCE_RULES;

/** The records of all pages; `between` takes place after each of them. */
async function walk(
  store: SessionStore,
  key: SessionKey,
  pageSize: number,
  between: (pages: number) => Promise<unknown> = async () => undefined,
): Promise<readonly string[]> {
  const records: string[] = [];
  let pageToken: string | undefined;
  let pages = 0;
  do {
    const page = await store.listTurns(key, pageSize, pageToken);
    expect(page.items.length).toBeLessThanOrEqual(pageSize);
    records.push(...page.items.map(({ record }) => plain(record)));
    pageToken = page.nextPageToken;
    pages += 1;
    await between(pages);
  } while (pageToken !== undefined);
  return records;
}

export function turnListBehaves(bench: Bench): void {
  async function onSession() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    return { store, other, key };
  }

  /** Five that have ended, one that runs, and two that wait for it, as they came. */
  async function eight() {
    const { store, other, key } = await onSession();
    const ended: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const { turnId } = await (i % 2 === 0 ? commitTurn(store, key) : failTurn(store, key));
      ended.push(turnId);
    }
    const running = await begin(store, key);
    const [first, second] = [aTurn(), aTurn()];
    for (const turn of [first, second]) await other.begin(key, { ...turn, onBusy: 'enqueue' });
    const records = [...ended.map((id) => `ended ${id}`), `running ${running.turnId}`];
    records.push(`queued ${first.turnId}`, `queued ${second.turnId}`);
    return { store, other, key, ended, running, first, second, newestFirst: records.toReversed() };
  }

  const leaving = (turnId: string) => ({ turnId, record: bytes(`left ${turnId}`), onlyIfDead: false });

  describe('listTurns', () => {
    it('of a session without turns is empty, and fails without a session', async () => {
      const { store, key } = await onSession();
      expect(await store.listTurns(key, 10)).toEqual({ items: [] });
      expect(await refusalOf(store.listTurns(aKey(), 10))).toBe('session_not_found');
    });

    it('has the newest first, those that run and wait among them', async () => {
      const { other, key, newestFirst } = await eight();
      expect(await walk(other, key, 200)).toEqual(newestFirst);
    });

    it('gives turns as they are read: with all candidates that are kept, and whether they are superseded', async () => {
      const { store, other, key } = await onSession();
      const turns = [await commitTurn(store, key, { fullRecord: bytes('first with all') })];
      turns.push(await commitTurn(store, key, { fullRecord: bytes('second with all') }));
      turns.push(await failTurn(store, key, { fullRecord: bytes('failed with all') }));
      const listed = await other.listTurns(key, 10);
      const read = () => Promise.all(turns.toReversed().map(({ turnId }) => store.readTurn(key, turnId)));
      expect(listed.items).toEqual(await read());
      expect(listed.items.map(({ record }) => plain(record))).toEqual([
        'failed with all',
        'second with all',
        `ended ${turns[0]?.turnId}`,
      ]);
      await store.rewind(key, aRewind(2, 3, { supersededTurnIds: [turns[1]?.turnId ?? ''] }));
      const { items } = await other.listTurns(key, 10);
      expect(items).toEqual(await read());
      expect(items.map(({ isSuperseded }) => isSuperseded)).toEqual([false, true, false]);
    });

    it.each([1, 2, 3, 7, 8, 200])('comes in pages of %i, each turn once', async (pageSize) => {
      const { other, key, newestFirst } = await eight();
      expect(await walk(other, key, pageSize)).toEqual(newestFirst);
    });

    it('has no further page when the last one is just full', async () => {
      const { store, key } = await eight();
      const first = await store.listTurns(key, 4);
      const second = await store.listTurns(key, 4, first.nextPageToken);
      expect(second.items).toHaveLength(4);
      expect(second.nextPageToken).toBeUndefined();
    });

    it('misses none and doubles none when turns end, begin, leave and come between two pages', async () => {
      const { store, other, key, ended, running, first, second } = await eight();
      const walked = await walk(store, key, 1, async (pages) => {
        if (pages === 1) {
          await other.finish(key, aFailure(running));
          await other.begin(key, { ...first, onBusy: 'waiting' });
        }
        if (pages === 2) await other.leave(key, leaving(second.turnId));
        if (pages === 3) await other.begin(key, aTurn({ onBusy: 'interrupt' }));
      });
      expect(walked).toEqual([
        `queued ${second.turnId}`,
        `running ${first.turnId}`,
        `ended ${running.turnId}`,
        ...ended.map((id) => `ended ${id}`).toReversed(),
      ]);
    });

    it('has who interrupted after who waited already, and both where they were when they have ended', async () => {
      const { store, other, key, running, first, second } = await eight();
      const last = aTurn();
      await other.begin(key, { ...last, onBusy: 'interrupt' });
      await other.finish(key, aFailure(running));
      const begun = await other.begin(key, { ...last, onBusy: 'waiting' });
      if (begun.outcome !== 'begun') throw new Error('the one that interrupts did not begin');
      expect((await walk(store, key, 3)).slice(0, 3)).toEqual([
        `running ${last.turnId}`,
        `queued ${second.turnId}`,
        `queued ${first.turnId}`,
      ]);
      await other.finish(key, anEnding({ ...begun, turnId: last.turnId, history: [] }));
      await store.leave(key, leaving(first.turnId));
      expect((await walk(store, key, 3)).slice(0, 3)).toEqual([
        `ended ${last.turnId}`,
        `queued ${second.turnId}`,
        `left ${first.turnId}`,
      ]);
    });

    it('has a turn that was reaped where it was', async () => {
      const { store, other, key } = await onSession();
      const before = await commitTurn(store, key);
      const dead = await beginDeadTurn(store, key);
      await store.reap(key, aReap(dead));
      const after = await commitTurn(store, key);
      expect(await walk(other, key, 2)).toEqual([
        `ended ${after.turnId}`,
        `reaped ${dead.turnId}`,
        `ended ${before.turnId}`,
      ]);
    });

    it('has nothing of a claim that was taken back, made or only in line', async () => {
      const { store, other, key } = await onSession();
      const before = await commitTurn(store, key);
      const [made, waits] = [aTurn(), aTurn()];
      await store.begin(key, made);
      await store.begin(key, { ...waits, onBusy: 'enqueue' });
      await other.letGo(key, waits);
      expect((await store.listTurns(key, 1)).items.map(({ record }) => plain(record))).toEqual([
        `running ${made.turnId}`,
      ]);
      expect(await walk(store, key, 1)).toEqual([`running ${made.turnId}`, `ended ${before.turnId}`]);
      await other.letGo(key, made);
      expect(await walk(store, key, 1)).toEqual([`ended ${before.turnId}`]);
    });

    it('goes on from a turn that has made room since, and passes over what has', async () => {
      const { store, other, key } = await onSession();
      for (let i = 0; i < ledgerTurnsMax; i += 1) await commitTurn(store, key);
      const first = await store.listTurns(key, 4);
      const rest = (await walk(store, key, 1)).slice(4);
      await commitTurn(other, key);
      const second = await store.listTurns(key, 200, first.nextPageToken);
      expect(second.items.map(({ record }) => plain(record))).toEqual(rest.slice(0, -1));
      await commitTurn(other, key, { record: new Uint8Array(2 * ledgerBytesMax) });
      expect(await store.listTurns(key, 200, first.nextPageToken)).toEqual({ items: [] });
    });

    it('has nothing of an older session of the same name', async () => {
      const { store, other, key } = await eight();
      await store.delete(key);
      await store.create(key, aSession());
      expect(await other.listTurns(key, 10)).toEqual({ items: [] });
    });

    it.each([
      '',
      'x',
      'turn-',
      'turn--1',
      'turn-1e5',
      `turn-${'9'.repeat(40)}`,
      'turn-1.',
      'turn-1.5.5.5',
      'turn-.x',
      '{}',
    ])('refuses the page token "%s"', async (pageToken) => {
      const { store, key } = await eight();
      expect(await refusalOf(store.listTurns(key, 10, pageToken))).toBe('invalid_page_token');
    });

    it('refuses the page tokens of a list of sessions, and is refused by it', async () => {
      const { store, other, key } = await eight();
      await store.create({ owner: key.owner, sessionId: 'another' }, aSession());
      const { nextPageToken: ofSessions } = await other.list(key.owner, 1);
      const { nextPageToken: ofTurns } = await other.listTurns(key, 1);
      expect(await refusalOf(store.listTurns(key, 1, ofSessions))).toBe('invalid_page_token');
      expect(await refusalOf(store.list(key.owner, 1, ofTurns))).toBe('invalid_page_token');
    });
  });
}
