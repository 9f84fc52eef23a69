// append and readFrames: the log of a turn, as it grows and as it is replayed.

import { describe, expect, it } from 'vitest';
import { aBatch, aKey, anEnding, aReap, aSession, begin, beginDeadTurn, commitTurn, logOf } from '../builders.ts';
import type { Bench } from './bench.ts';

export function appendBehaves(bench: Bench): void {
  async function running() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    return { store, other, key, turn: await begin(store, key) };
  }

  describe('append', () => {
    it('adds batches in their order, for every replica to read', async () => {
      const { store, other, key, turn } = await running();
      expect(await other.readFrames(key, turn.epoch, 0)).toEqual([]);
      expect(await store.append(key, turn.epoch, aBatch(0, 2, 'first'))).toEqual({ outcome: 'appended' });
      expect(await store.append(key, turn.epoch, aBatch(2, 3, 'second'))).toEqual({ outcome: 'appended' });
      const read = await other.readFrames(key, turn.epoch, 0);
      expect(read.map(({ afterSeq, lastSeq }) => [afterSeq, lastSeq])).toEqual([
        [0, 2],
        [2, 3],
      ]);
      expect(await logOf(other, key, turn.epoch)).toBe('firstsecond');
    });

    it('adds a batch once, however often it is sent', async () => {
      const { store, key, turn } = await running();
      await store.append(key, turn.epoch, aBatch(0, 2, 'first'));
      await store.append(key, turn.epoch, aBatch(2, 4, 'second'));
      for (const batch of [aBatch(2, 4, 'second'), aBatch(0, 2, 'first')]) {
        expect(await store.append(key, turn.epoch, batch)).toEqual({ outcome: 'appended' });
      }
      expect(await logOf(store, key, turn.epoch)).toBe('firstsecond');
    });

    it('says where it stands when something is missing before the batch', async () => {
      const { store, key, turn } = await running();
      expect(await store.append(key, turn.epoch, aBatch(3, 5))).toEqual({ outcome: 'gap', lastSeq: 0 });
      await store.append(key, turn.epoch, aBatch(0, 2, 'kept'));
      expect(await store.append(key, turn.epoch, aBatch(3, 5))).toEqual({ outcome: 'gap', lastSeq: 2 });
      expect(await logOf(store, key, turn.epoch)).toBe('kept');
    });

    it('says where it stands when a part of the batch is there already', async () => {
      const { store, key, turn } = await running();
      await store.append(key, turn.epoch, aBatch(0, 2, 'kept'));
      expect(await store.append(key, turn.epoch, aBatch(0, 4))).toEqual({ outcome: 'gap', lastSeq: 2 });
      expect(await store.append(key, turn.epoch, aBatch(1, 4))).toEqual({ outcome: 'gap', lastSeq: 2 });
      expect(await store.append(key, turn.epoch, aBatch(2, 4, 'rest'))).toEqual({ outcome: 'appended' });
      expect(await logOf(store, key, turn.epoch)).toBe('keptrest');
    });

    it('is refused to a producer whose turn was reaped, before and after the next one has begun', async () => {
      const { store, other, key } = await running();
      await store.delete(key);
      await store.create(key, aSession());
      const zombie = await beginDeadTurn(store, key);
      await other.reap(key, aReap(zombie));
      expect(await store.append(key, zombie.epoch, aBatch(0, 1))).toEqual({ outcome: 'fenced' });
      const next = await begin(other, key);
      expect(await store.append(key, zombie.epoch, aBatch(0, 1))).toEqual({ outcome: 'fenced' });
      expect(await logOf(store, key, zombie.epoch)).toBe('<producer lost>');
      expect(await logOf(store, key, next.epoch)).toBe('');
    });

    it('is refused after the turn has finished', async () => {
      const { store, key, turn } = await running();
      await store.finish(key, anEnding(turn));
      expect(await store.append(key, turn.epoch, aBatch(1, 2))).toEqual({ outcome: 'fenced' });
      expect(await logOf(store, key, turn.epoch)).toBe('<0..1>');
    });

    it('is refused to an epoch that has not begun', async () => {
      const { store, key, turn } = await running();
      expect(await store.append(key, turn.epoch + 1, aBatch(0, 1))).toEqual({ outcome: 'fenced' });
    });

    it('finds a session that does not exist gone', async () => {
      const { store, turn } = await running();
      expect(await store.append(aKey(), turn.epoch, aBatch(0, 1))).toEqual({ outcome: 'gone' });
    });
  });

  describe('readFrames', () => {
    it('gives every batch that holds a frame after the cursor', async () => {
      const { store, key, turn } = await running();
      for (const batch of [aBatch(0, 2), aBatch(2, 5), aBatch(5, 6)]) await store.append(key, turn.epoch, batch);
      const read = async (seq: number) => logOf(store, key, turn.epoch, seq);
      expect(await read(0)).toBe('<0..2><2..5><5..6>');
      expect(await read(1)).toBe('<0..2><2..5><5..6>');
      expect(await read(2)).toBe('<2..5><5..6>');
      expect(await read(4)).toBe('<2..5><5..6>');
      expect(await read(5)).toBe('<5..6>');
      expect(await read(6)).toBe('');
      expect(await read(99)).toBe('');
    });

    it('replays after the end what was appended, and the end', async () => {
      const { store, other, key, turn } = await running();
      await store.append(key, turn.epoch, aBatch(0, 2));
      await store.finish(key, anEnding(turn, { batch: aBatch(2, 4) }));
      expect(await logOf(other, key, turn.epoch)).toBe('<0..2><2..4>');
      expect(await logOf(other, key, turn.epoch, 3)).toBe('<2..4>');
    });

    it('keeps the running turn and the one before it, no more', async () => {
      const { store, key, turn: first } = await running();
      await store.finish(key, anEnding(first, { batch: aBatch(0, 1, 'first') }));
      const second = await commitTurn(store, key, { batch: aBatch(0, 1, 'second') });
      expect(await logOf(store, key, first.epoch)).toBe('first');
      const third = await begin(store, key);
      await store.append(key, third.epoch, aBatch(0, 1, 'third'));
      expect(await logOf(store, key, first.epoch)).toBe('');
      expect(await logOf(store, key, second.epoch)).toBe('second');
      expect(await logOf(store, key, third.epoch)).toBe('third');
    });

    it('is empty for a turn or a session that it does not know', async () => {
      const { store, key, turn } = await running();
      await store.append(key, turn.epoch, aBatch(0, 1));
      expect(await store.readFrames(key, turn.epoch + 1, 0)).toEqual([]);
      expect(await store.readFrames(key, turn.epoch - 1, 0)).toEqual([]);
      expect(await store.readFrames(aKey(), turn.epoch, 0)).toEqual([]);
    });
  });
}
