// create within a number of sessions that the owner may have.

import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { aChange, aKey, aSession, commitTurn, isGone, refusalOf, shown } from '../builders.ts';
import type { Bench } from './bench.ts';

export function roomBehaves(bench: Bench): void {
  describe('create within a number of sessions', () => {
    const limited = (sessionsMax: number, ttlS = 600) => aSession({ sessionsMax, ttlS });
    const anotherOf = (owner: string) => ({ ...aKey(), owner });

    it('makes as many, and refuses the next one, also when all come at once, over replicas', async () => {
      const { store, other } = bench;
      const { owner } = aKey();
      const made = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          refusalOf((i % 2 ? store : other).create(anotherOf(owner), limited(5))).catch(() => 'made'),
        ),
      );
      expect(made.filter((outcome) => outcome === 'rate_limited')).toHaveLength(7);
      expect((await store.list(owner, 50)).items).toHaveLength(5);
    });

    it('counts one owner’s only', async () => {
      const { store } = bench;
      await store.create(aKey(), limited(1));
      await store.create(aKey(), limited(1));
    });

    it('has room again when one is deleted', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, limited(1));
      expect(await refusalOf(other.create(anotherOf(key.owner), limited(1)))).toBe('rate_limited');
      await other.delete(key);
      const next = anotherOf(key.owner);
      await until('there is room', () =>
        store.create(next, limited(1)).then(
          () => true,
          () => false,
        ),
      );
    });

    it('does not count those that have expired, in whatever order they were used', async () => {
      const { store, other } = bench;
      const [brief, long] = [aKey(), aKey()];
      await store.create({ ...long, owner: brief.owner }, limited(2));
      await store.create(brief, limited(2, 0.2));
      await commitTurn(store, brief);
      expect(await refusalOf(other.create(anotherOf(brief.owner), limited(2)))).toBe('rate_limited');
      await until('the brief one has expired', () => isGone(store, brief));
      await other.create(anotherOf(brief.owner), limited(2));
      expect(await refusalOf(other.create(anotherOf(brief.owner), limited(2)))).toBe('rate_limited');
    });

    it('counts with the lifetime that a session has now', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, limited(1, 0.5));
      await store.update(key, aChange(1, { ttlS: 600 }));
      const next = anotherOf(key.owner);
      await store.create(aKey(key.owner), aSession({ ttlS: 0.5 }));
      await until('the other one has expired', async () => (await store.list(key.owner, 10)).items.length === 1);
      expect(await refusalOf(other.create(next, limited(1)))).toBe('rate_limited');
    });

    it('answers who asks again under a key, and who names an id that is taken, as without a limit', async () => {
      const { store, other } = bench;
      const key = aKey();
      const keyed = { ...limited(1), idempotency: { key: 'k', fingerprint: 'f', ttlMs: 60_000 } };
      const made = await store.create(key, keyed);
      expect(shown(await other.create(anotherOf(key.owner), keyed))).toEqual(shown(made));
      expect(await refusalOf(other.create(key, limited(1)))).toBe('session_exists');
    });

    it('leaves nothing of a key whose session there was no room for', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, limited(1));
      const keyed = (fingerprint: string) => ({ ...aSession(), idempotency: { key: 'k', fingerprint, ttlMs: 60_000 } });
      const refused = store.create(anotherOf(key.owner), { ...keyed('one'), sessionsMax: 1 });
      expect(await refusalOf(refused)).toBe('rate_limited');
      const next = anotherOf(key.owner);
      await until('the key is free', () =>
        other.create(next, keyed('two')).then(
          () => true,
          () => false,
        ),
      );
    });
  });
}
