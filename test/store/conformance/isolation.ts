// Owners: whatever they are called, none of them reaches what belongs to another.

import { describe, expect, it } from 'vitest';
import { aBatch, aChange, anEnding, aReap, aSession, aTurn, begin, bytes, plain, refusalOf } from '../builders.ts';
import type { Bench } from './bench.ts';

const OWNERS = [
  'alice',
  'Alice',
  'alice ',
  '',
  '{alice}',
  'alice}',
  '{',
  'a:b',
  'a',
  'a:b:meta',
  '*',
  'alice*',
  'alice\n',
  'alice\r\nDEL x',
  'alice\u0000',
  '😀',
  // A lone surrogate is no character, but a string can hold one: a codec that replaces it makes owners the same.
  '\ud83d',
  '\ud83e',
  '\ufffd',
  '__proto__',
  'constructor',
  'ä',
  'a\u0308',
  'x'.repeat(5000),
] as const;

export function isolationBehaves(bench: Bench): void {
  describe('an owner', () => {
    it('finds its own session under an id, whoever else uses the same', async () => {
      const { store, other } = bench;
      const sessionId = 'same';
      for (const owner of OWNERS) await store.create({ owner, sessionId }, aSession({ config: bytes(owner) }));
      for (const owner of OWNERS) {
        const { config } = await other.read({ owner, sessionId });
        expect(plain(config)).toBe(plain(bytes(owner)));
        const { items } = await other.list(owner, 200);
        expect(items.map((item) => plain(item.config))).toEqual([plain(bytes(owner))]);
      }
      await store.delete({ owner: 'alice', sessionId });
      for (const owner of OWNERS.slice(1)) expect((await store.read({ owner, sessionId })).version).toBe(1);
    });

    it.each(OWNERS.slice(1).map((owner) => [JSON.stringify(owner).slice(0, 30), owner] as const))(
      '%s reaches nothing of alice',
      async (_name, owner) => {
        const { store } = bench;
        const theirs = { owner: 'alice', sessionId: 'theirs' };
        const mine = { owner, sessionId: 'theirs' };
        await store.create(theirs, aSession());
        const turn = await begin(store, theirs);
        await store.append(theirs, turn.epoch, aBatch(0, 1));
        expect(await refusalOf(store.read(mine))).toBe('session_not_found');
        expect(await refusalOf(store.readMessages(mine, { start: 0, count: 9 }))).toBe('session_not_found');
        expect(await refusalOf(store.readTurn(mine, turn.turnId))).toBe('session_not_found');
        expect(await refusalOf(store.update(mine, aChange(1)))).toBe('session_not_found');
        expect(await refusalOf(store.delete(mine))).toBe('session_not_found');
        expect(await refusalOf(store.begin(mine, aTurn()))).toBe('session_not_found');
        expect(await store.append(mine, turn.epoch, aBatch(1, 2))).toEqual({ outcome: 'gone' });
        expect(await store.renew(mine, turn.epoch, 1)).toEqual({ outcome: 'gone' });
        expect(await store.finish(mine, anEnding(turn))).toEqual({ outcome: 'gone' });
        expect(await store.reap(mine, aReap(turn))).toBe(false);
        expect(await store.readFrames(mine, turn.epoch, 0)).toEqual([]);
        expect(await store.list(owner, 10)).toEqual({ items: [] });
        expect((await store.read(theirs)).running?.turnId).toBe(turn.turnId);
      },
    );

    it('has sessions of any name', async () => {
      const { store } = bench;
      const names = ['__proto__', 'constructor', 'meta', 'sessions', '-', '_', 'x'.repeat(128)];
      for (const sessionId of names) {
        await store.create({ owner: 'alice', sessionId }, aSession({ config: bytes(sessionId) }));
      }
      for (const sessionId of names) {
        expect(plain((await store.read({ owner: 'alice', sessionId })).config)).toBe(sessionId);
      }
      expect((await store.list('alice', 200)).items).toHaveLength(names.length);
    });
  });
}
