// list: the sessions of an owner, newest activity first, page by page.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SessionStore } from '../../../src/chat/session-store.ts';
import { until } from '../../support/until.ts';
import {
  aChange,
  aKey,
  anEnding,
  aReap,
  aSession,
  begin,
  beginDeadTurn,
  bytes,
  isGone,
  plain,
  refusalOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

async function create(store: SessionStore, owner: string, count: number): Promise<readonly string[]> {
  const keys = Array.from({ length: count }, () => aKey(owner));
  for (let i = 0; i < count; i += 50) {
    await Promise.all(keys.slice(i, i + 50).map((key) => store.create(key, aSession())));
  }
  return keys.map(({ sessionId }) => sessionId);
}

/** Sessions made one after the other, each in a millisecond of its own. */
async function createApart(store: SessionStore, owner: string, count: number): Promise<string[]> {
  const sessionIds: string[] = [];
  let lastMs = 0;
  while (sessionIds.length < count) {
    const key = aKey(owner);
    await until('the clock has moved on', () => Date.now() > lastMs, { everyMs: 1 });
    lastMs = (await store.create(key, aSession())).updateTimeMs;
    sessionIds.push(key.sessionId);
  }
  return sessionIds;
}

async function walk(store: SessionStore, owner: string, pageSize: number): Promise<readonly string[]> {
  const sessionIds: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.list(owner, pageSize, pageToken);
    expect(page.items.length).toBeLessThanOrEqual(pageSize);
    sessionIds.push(...page.items.map(({ sessionId }) => sessionId));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return sessionIds;
}

export function listBehaves(bench: Bench): void {
  const newOwner = () => `owner-${randomUUID()}`;

  describe('list', () => {
    it('of an owner without sessions is empty', async () => {
      expect(await bench.store.list(newOwner(), 10)).toEqual({ items: [] });
    });

    it('has the sessions as they are read', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession({ config: bytes('listed'), messages: [bytes('a')] }));
      await begin(store, key);
      const { items } = await other.list(key.owner, 10);
      expect(items).toEqual([await store.read(key)]);
      expect(plain(items[0]?.config ?? bytes(''))).toBe('listed');
    });

    it('has the newest first', async () => {
      const { store, other } = bench;
      const owner = newOwner();
      const sessionIds = await createApart(store, owner, 5);
      expect(await walk(other, owner, 10)).toEqual(sessionIds.toReversed());
    });

    it.each(['a change', 'a new turn', 'the end of a turn', 'the reaping of a turn'])(
      'moves a session to the front with %s',
      async (activity) => {
        const { store } = bench;
        const key = aKey();
        await store.create(key, aSession());
        const running = activity.startsWith('the') && (await beginDeadTurn(store, key));
        const newer = await createApart(store, key.owner, 3);
        await until('the clock has moved on', async () => {
          const { items } = await store.list(key.owner, 1);
          return Date.now() > (items[0]?.updateTimeMs ?? 0) + 1;
        });
        if (activity === 'a change') await store.update(key, aChange(1));
        else if (!running) await begin(store, key);
        else if (activity === 'the end of a turn') await store.finish(key, anEnding(running));
        else await store.reap(key, aReap(running));
        const expected = [key.sessionId, ...newer.toReversed()];
        await until('the list has caught up', async () => {
          return (await walk(store, key.owner, 10)).join() === expected.join();
        });
      },
    );

    it.each([1, 2, 3, 7, 200])('comes in pages of %i, each session once', async (pageSize) => {
      const { store, other } = bench;
      const owner = newOwner();
      const sessionIds = await createApart(store, owner, 7);
      expect(await walk(other, owner, pageSize)).toEqual(sessionIds.toReversed());
    });

    it('has no further page when the last one is just full', async () => {
      const { store } = bench;
      const owner = newOwner();
      await create(store, owner, 4);
      const first = await store.list(owner, 2);
      const second = await store.list(owner, 2, first.nextPageToken);
      expect(second.items).toHaveLength(2);
      expect(second.nextPageToken).toBeUndefined();
    });

    it('loses and doubles none of those that were active in the same millisecond', async () => {
      const { store, other } = bench;
      const owner = newOwner();
      const keys = Array.from({ length: 120 }, () => aKey(owner));
      await Promise.all(keys.map((key) => store.create(key, aSession())));
      for (const pageSize of [1, 7]) {
        const walked = await walk(other, owner, pageSize);
        expect(walked.toSorted()).toEqual(keys.map(({ sessionId }) => sessionId).toSorted());
      }
    });

    it('drops the deleted and the expired, whichever page they were on', async () => {
      const { store } = bench;
      const owner = newOwner();
      const kept = await createApart(store, owner, 2);
      const shortLived = Array.from({ length: 20 }, () => aKey(owner));
      for (const key of shortLived) await store.create(key, aSession({ ttlS: 0.5 }));
      const deleted = await create(store, owner, 20);
      for (const sessionId of deleted) await store.delete({ owner, sessionId });
      kept.push(...(await createApart(store, owner, 2)));
      await until('the short-lived have expired', async () => {
        const gone = await Promise.all(shortLived.map((key) => isGone(store, key)));
        return gone.every((isOne) => isOne);
      });
      expect(await walk(store, owner, 3)).toEqual(kept.toReversed());
      expect(await walk(store, owner, 50)).toEqual(kept.toReversed());
    });

    it('has the long-lived also after shorter-lived ones that came later', async () => {
      const { store } = bench;
      const [long, short] = [aKey('alice'), aKey('alice')];
      await store.create(long, aSession());
      await store.create(short, aSession({ ttlS: 0.5 }));
      await until('the short-lived has expired', () => isGone(store, short));
      expect(await walk(store, 'alice', 10)).toEqual([long.sessionId]);
    });

    it('has a session that was deleted and made again once', async () => {
      const { store, other } = bench;
      const key = aKey();
      for (let i = 0; i < 5; i += 1) {
        await store.create(key, aSession());
        await store.delete(key);
      }
      await other.create(key, aSession());
      expect(await walk(store, key.owner, 10)).toEqual([key.sessionId]);
    });

    it('goes on from its cursor when sessions come and go in between', async () => {
      const { store } = bench;
      const owner = newOwner();
      const sessionIds = await createApart(store, owner, 6);
      const first = await store.list(owner, 2);
      await createApart(store, owner, 3);
      await store.delete({ owner, sessionId: sessionIds[3] ?? '' });
      const rest = await store.list(owner, 10, first.nextPageToken);
      expect(rest.items.map(({ sessionId }) => sessionId)).toEqual([2, 1, 0].map((position) => sessionIds[position]));
    });

    it.each(['', 'x', '-1', '1e5', '9'.repeat(40), '12.', '.x', '1.5.5', 'a.b', '1 ', '{}', '١'])(
      'refuses the page token "%s"',
      async (pageToken) => {
        const { store } = bench;
        expect(await refusalOf(store.list(newOwner(), 10, pageToken))).toBe('invalid_page_token');
      },
    );

    it('of many sessions is complete, and a page costs what it holds', async () => {
      const { store, manySessions } = bench;
      const owner = newOwner();
      const sessionIds = await create(store, owner, manySessions);
      expect((await walk(store, owner, 200)).toSorted()).toEqual(sessionIds.toSorted());
      const few = newOwner();
      await create(store, few, 30);
      const cost = async (whose: string) => {
        const began = performance.now();
        for (let i = 0; i < 20; i += 1) await store.list(whose, 20);
        return performance.now() - began;
      };
      await cost(few);
      // Generous, for a busy machine; reading all of them would cost a hundred times as much.
      expect(await cost(owner)).toBeLessThan(10 * (await cost(few)) + 100);
    });
  });
}
