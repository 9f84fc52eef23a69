// Seals: kept with their session and gone with it, and contents that are made for another one are not taken.

import { describe, expect, it } from 'vitest';
import { type Seal, SealMismatch } from '../../../src/chat/seal.ts';
import type { SessionKey } from '../../../src/chat/session.ts';
import type { SessionStore } from '../../../src/chat/session-store.ts';
import { until } from '../../support/until.ts';
import {
  aBatch,
  aChange,
  aChoice,
  aKey,
  anEnding,
  anImport,
  aReap,
  aSession,
  aTurn,
  begin,
  bytes,
  commitTurn,
  historyOf,
  logOf,
  recordOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

const seal = (id: string, key = `key of ${id}`): Seal => ({ id, wrappedKey: bytes(key) });

async function isRefused(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => false,
    (error) => error instanceof SealMismatch,
  );
}

/** What brings contents to the session, made for a seal: names, and whether it was refused. */
async function refusedFor(
  store: SessionStore,
  key: SessionKey,
  sealId: string | undefined,
): Promise<Record<string, boolean>> {
  const { version } = await store.read(key);
  const turn = { turnId: 'of-another', epoch: Number.MAX_SAFE_INTEGER, version, history: [] };
  return {
    update: await isRefused(store.update(key, aChange(version, { sealId }))),
    choose: await isRefused(store.choose(key, aChoice('t', version, { sealId }))),
    import: await isRefused(store.importMessages(key, anImport(['a'], version, { sealId }))),
    recall: await isRefused(store.recall(key, { key: 'k', fingerprint: 'f', sealId })),
    begin: await isRefused(store.begin(key, aTurn({ sealId }))),
    append: await isRefused(store.append(key, turn.epoch, { ...aBatch(0, 1), sealId })),
    finish: await isRefused(store.finish(key, anEnding(turn, { sealId }))),
    reap: await isRefused(store.reap(key, aReap(turn, { sealId }))),
    leave: await isRefused(store.leave(key, { turnId: 'waits', record: bytes('left'), onlyIfDead: false, sealId })),
  };
}

export function sealBehaves(bench: Bench): void {
  describe('a seal', () => {
    it('is kept as it came, and of a session without one there is none', async () => {
      const { store, other } = bench;
      const [sealed, plain] = [aKey(), aKey()];
      const wrappedKey = Uint8Array.from({ length: 256 }, (_, i) => i);
      await store.create(sealed, aSession({ seal: { id: 'a', wrappedKey } }));
      await store.create(plain, aSession());
      const kept = (await other.read(sealed)).seal;
      expect({ id: kept?.id, wrappedKey: [...(kept?.wrappedKey ?? [])] }).toEqual({
        id: 'a',
        wrappedKey: [...wrappedKey],
      });
      expect(await other.read(plain)).not.toHaveProperty('seal');
      expect((await other.list(sealed.owner, 10)).items.map((item) => item.seal?.id)).toEqual(['a']);
    });

    it.each([
      ['of another session of the same name', seal('new'), 'old'],
      ['that are not sealed', seal('new'), undefined],
      ['that are sealed, where nothing is', undefined, 'old'],
    ])('does not take contents %s, and changes nothing', async (_what, own, sealId) => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('first')], ...(own ? { seal: own } : {}) }));
      const running = await begin(store, key, { turnId: 'runs', sealId: own?.id });
      await store.begin(key, aTurn({ turnId: 'waits', onBusy: 'enqueue', sealId: own?.id }));
      const before = await stateOf(store, key);
      const refused = await refusedFor(store, key, sealId);
      expect(Object.entries(refused).filter(([, isSo]) => !isSo)).toEqual([]);
      expect(await stateOf(store, key)).toEqual(before);
      expect(await recordOf(store, key, 'waits')).toBe('queued waits');
      expect(await logOf(store, key, running.epoch)).toBe('');
    });

    it('takes contents that are made for it, in every step', async () => {
      const { store } = bench;
      const key = aKey();
      const sealId = 'own';
      await store.create(key, aSession({ seal: seal(sealId) }));
      const turn = await begin(store, key, { turnId: 't', sealId });
      await store.append(key, turn.epoch, { ...aBatch(0, 1), sealId });
      expect(await logOf(store, key, turn.epoch)).toBe('<0..1>');
      const ending = anEnding(turn, { batch: aBatch(1, 2), fullRecord: bytes('all'), sealId });
      expect(await store.finish(key, ending)).toMatchObject({ outcome: 'finished' });
      await store.choose(key, aChoice('t', 2, { sealId }));
      await store.update(key, aChange(3, { sealId }));
      await store.importMessages(key, anImport(['imported'], 4, { position: 2, sealId }));
      expect(await historyOf(store, key)).toEqual(['question of t', 'other answer of t', 'imported']);
      const dead = await begin(store, key, { turnId: 'dead', leaseMs: 1, sealId });
      await until('it is reaped', () => store.reap(key, aReap(dead, { sealId })));
      expect(await store.read(key)).toMatchObject({ version: 5, seal: { id: sealId } });
    });

    it('goes with its session, whether that is deleted or its time is over', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ seal: seal('first') }));
      await store.delete(key);
      await store.create(key, aSession({ ttlS: 0.05 }));
      expect(await store.read(key)).not.toHaveProperty('seal');
      await until('its time is over', async () => {
        return store.create(key, aSession({ seal: seal('third') })).then(
          () => true,
          () => false,
        );
      });
      expect((await store.read(key)).seal?.id).toBe('third');
    });
  });

  describe('rewrap', () => {
    it('changes the wrapping, and nothing else', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession({ seal: seal('a') }));
      const before = await store.read(key);
      await store.rewrap(key, seal('a', 'wrapped anew'));
      expect(await other.read(key)).toEqual({ ...before, seal: { id: 'a', wrappedKey: expect.anything() } });
      expect(Buffer.from((await other.read(key)).seal?.wrappedKey ?? []).toString()).toBe('wrapped anew');
    });

    it('leaves another seal alone, and brings nothing back', async () => {
      const { store } = bench;
      const key = aKey();
      await store.rewrap(key, seal('a'));
      await store.create(key, aSession());
      await store.rewrap(key, seal('a'));
      expect(await store.read(key)).not.toHaveProperty('seal');
      await store.delete(key);
      await store.create(key, aSession({ seal: seal('b') }));
      await store.rewrap(key, seal('a'));
      expect((await store.read(key)).seal?.id).toBe('b');
    });
  });

  describe('the address of a session', () => {
    it('is that of no other session, and does not tell the owner', () => {
      const { store, other } = bench;
      const keys = ['a', 'b'].flatMap((owner) => ['a', 'b', 'a-b'].map((sessionId) => ({ owner, sessionId })));
      expect(new Set(keys.map((key) => store.addressOf(key))).size).toBe(keys.length);
      expect(keys.map((key) => other.addressOf(key))).toEqual(keys.map((key) => store.addressOf(key)));
      expect(store.addressOf({ owner: 'somebody@example.com', sessionId: 's' })).not.toContain('somebody');
    });
  });

  it('sessions without a seal take whatever is not sealed', async () => {
    const { store } = bench;
    const key = aKey();
    await store.create(key, aSession());
    await commitTurn(store, key);
    expect((await store.read(key)).version).toBe(2);
  });
}
