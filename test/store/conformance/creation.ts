// create with an idempotency key: one session for one key, whatever is sent again.

import { describe, expect, it } from 'vitest';
import type { CreateSession } from '../../../src/chat/session-store.ts';
import type { StoredSession } from '../../../src/chat/stored-session.ts';
import { until } from '../../support/until.ts';
import { aChange, aKey, anImport, aSession, commitTurn, refusalOf, shown } from '../builders.ts';
import type { Bench } from './bench.ts';

export function creationBehaves(bench: Bench): void {
  const isMade = (creation: Promise<StoredSession>) =>
    creation.then(
      () => true,
      () => false,
    );

  const keyed = (fingerprint = 'same', ttlMs = 60_000): CreateSession =>
    aSession({ idempotency: { key: 'k', fingerprint, ttlMs } });
  const anotherOf = (owner: string) => ({ ...aKey(), owner });

  describe('create with an idempotency key', () => {
    it('makes one session, whatever ids are named and whoever asks again', async () => {
      const { store, other } = bench;
      const key = aKey();
      const made = await store.create(key, keyed());
      expect(made.sessionId).toBe(key.sessionId);
      expect(shown(await other.create(anotherOf(key.owner), keyed()))).toEqual(shown(made));
      expect((await store.list(key.owner, 10)).items.map(shown)).toEqual([shown(made)]);
    });

    it('answers with the session as it has become', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, keyed());
      await store.update(key, aChange(1));
      await commitTurn(store, key);
      expect(await store.create(anotherOf(key.owner), keyed())).toMatchObject({ version: 3, messageCount: 2 });
    });

    it('makes one session of twelve calls at the same time', async () => {
      const { store, other } = bench;
      const { owner } = aKey();
      const calls = Array.from({ length: 12 }, (_, i) => (i % 2 ? store : other).create(anotherOf(owner), keyed()));
      const ids = (await Promise.all(calls)).map(({ sessionId }) => sessionId);
      expect(new Set(ids).size).toBe(1);
      expect((await store.list(owner, 50)).items).toHaveLength(1);
    });

    it('refuses other contents, and makes nothing', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, keyed('one'));
      expect(await refusalOf(other.create(anotherOf(key.owner), keyed('two')))).toBe('idempotency_mismatch');
      expect((await store.list(key.owner, 10)).items).toHaveLength(1);
    });

    it('is a matter of one owner', async () => {
      const { store } = bench;
      const [mine, yours] = [aKey(), aKey()];
      await store.create(mine, keyed('one'));
      expect((await store.create(yours, keyed('two'))).sessionId).toBe(yours.sessionId);
    });

    it('is not kept when the id was taken', async () => {
      const { store, other } = bench;
      const taken = aKey();
      await store.create(taken, aSession());
      expect(await refusalOf(store.create(taken, keyed('one')))).toBe('session_exists');
      const free = anotherOf(taken.owner);
      await until('the key is free again', () => isMade(other.create(free, keyed('two'))));
    });

    it('goes with its session', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, keyed('one'));
      await store.delete(key);
      const next = anotherOf(key.owner);
      await until('the key is free again', () => isMade(other.create(next, keyed('two'))));
      expect((await store.read(next)).version).toBe(1);
    });

    it('is kept for its time', async () => {
      const { store } = bench;
      const { owner } = aKey();
      const first = await store.create(anotherOf(owner), keyed('one', 1));
      let last = first;
      await until('its time is over', async () => {
        last = await store.create(anotherOf(owner), keyed('one', 1));
        return last.sessionId !== first.sessionId;
      });
      expect((await store.list(owner, 10)).items).toHaveLength(2);
    });
  });

  describe('claimCreation', () => {
    const idempotency = (fingerprint = 'same') => ({ key: 'k', fingerprint, ttlMs: 60_000 });

    it('tells the id under which the session is made', async () => {
      const { store, other } = bench;
      const key = aKey();
      expect(await store.claimCreation(key, idempotency())).toBe(key.sessionId);
      expect((await store.create(key, keyed())).sessionId).toBe(key.sessionId);
      expect(await other.claimCreation(anotherOf(key.owner), idempotency())).toBe(key.sessionId);
    });

    it('refuses other contents', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, keyed());
      expect(await refusalOf(other.claimCreation(key, idempotency('another')))).toBe('idempotency_mismatch');
    });
  });

  describe('recallCreation', () => {
    const recall = (owner: string, fingerprint = 'same') =>
      bench.other.recallCreation(owner, { key: 'k', fingerprint });

    it('finds nothing under a key that was not used, and claims nothing', async () => {
      const { store } = bench;
      const { owner } = aKey();
      expect(await recall(owner)).toBeUndefined();
      expect(await recall(owner, 'another')).toBeUndefined();
      expect(await store.create(anotherOf(owner), keyed('of its own'))).toMatchObject({ version: 1 });
    });

    it('finds the session that was made, as it has become', async () => {
      const { store } = bench;
      const key = aKey();
      const made = await store.create(key, keyed());
      expect(shown(await recall(key.owner))).toEqual(shown(made));
      await store.importMessages(key, anImport(['a'], 1));
      expect(await recall(key.owner)).toEqual(await store.read(key));
      expect(await recall(key.owner)).toMatchObject({ version: 2, messageCount: 1 });
    });

    it('refuses other contents, and is a matter of one owner', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, keyed());
      expect(await refusalOf(recall(key.owner, 'another'))).toBe('idempotency_mismatch');
      expect(await recall(aKey().owner)).toBeUndefined();
    });

    it('finds nothing when the session is gone, also when another one has its id', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, keyed());
      await store.delete(key);
      expect(await recall(key.owner)).toBeUndefined();
      await store.create(key, aSession());
      expect(await recall(key.owner)).toBeUndefined();
    });

    it('finds nothing when the session has expired, also when another one has its id', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, { ...keyed(), ttlS: 0.05 });
      await until('it has expired', async () => (await recall(key.owner)) === undefined);
      expect(await refusalOf(store.read(key))).toBe('session_not_found');
      await store.create(key, aSession());
      expect(await recall(key.owner)).toBeUndefined();
    });

    it('finds nothing after its time', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, keyed('same', 20));
      await until('its time is over', async () => (await recall(key.owner)) === undefined);
      expect(await store.read(key)).toMatchObject({ version: 1 });
    });
  });
}
