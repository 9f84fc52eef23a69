// renew and reap: how a producer is known to be alive, and what happens when it is not.

import { describe, expect, it } from 'vitest';
import { REAPER_SEQ } from '../../../src/chat/turn-event.ts';
import {
  aBatch,
  aKey,
  anEnding,
  aReap,
  aSession,
  aTurn,
  begin,
  beginDeadTurn,
  bytes,
  historyOf,
  logOf,
  recordOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

export function leaseBehaves(bench: Bench): void {
  async function onSession() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('old')] }));
    return { store, other, key };
  }

  describe('renew', () => {
    it('promises life for another lease', async () => {
      const { store, other, key } = await onSession();
      const turn = await begin(store, key, { leaseMs: 1000 });
      expect(await store.renew(key, turn.epoch, 60_000)).toEqual({ outcome: 'renewed' });
      const { running } = await other.read(key);
      expect((running?.leaseUntilMs ?? 0) - Date.now()).toBeGreaterThan(30_000);
    });

    it('brings back a turn that counted as dead, as long as nobody has reaped it', async () => {
      const { store, other, key } = await onSession();
      const turn = await beginDeadTurn(store, key);
      expect(await store.renew(key, turn.epoch, 60_000)).toEqual({ outcome: 'renewed' });
      expect(await other.begin(key, aTurn())).toMatchObject({ outcome: 'busy', hasLease: true });
      expect(await other.reap(key, aReap(turn))).toBe(false);
    });

    it('is refused once the turn has ended or was reaped', async () => {
      const { store, key } = await onSession();
      const done = await begin(store, key);
      await store.finish(key, anEnding(done));
      expect(await store.renew(key, done.epoch, 1000)).toEqual({ outcome: 'fenced' });
      const dead = await beginDeadTurn(store, key);
      await store.reap(key, aReap(dead));
      expect(await store.renew(key, dead.epoch, 1000)).toEqual({ outcome: 'fenced' });
    });

    it('is refused to anybody but the producer of the running turn', async () => {
      const { store, key } = await onSession();
      const done = await begin(store, key);
      await store.finish(key, anEnding(done));
      const turn = await begin(store, key, { leaseMs: 1 });
      expect(await store.renew(key, done.epoch, 60_000)).toEqual({ outcome: 'fenced' });
      expect(await store.renew(key, turn.epoch + 1, 60_000)).toEqual({ outcome: 'fenced' });
      expect((await store.read(key)).running?.leaseUntilMs).toBeLessThan(Date.now() + 30_000);
    });

    it('finds a session that does not exist gone', async () => {
      const { store, key } = await onSession();
      const { epoch } = await begin(store, key);
      expect(await store.renew(aKey(), epoch, 1000)).toEqual({ outcome: 'gone' });
    });
  });

  describe('reap', () => {
    it('does nothing to a turn that is alive', async () => {
      const { store, other, key } = await onSession();
      const turn = await begin(store, key);
      const before = await stateOf(store, key);
      expect(await other.reap(key, aReap(turn))).toBe(false);
      expect(await stateOf(store, key)).toEqual(before);
      expect(await recordOf(store, key, turn.turnId)).toBe(`running ${turn.turnId}`);
      expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'finished', version: 2 });
    });

    it('ends a dead turn: record and last event are the given ones, the history stays, the session is free', async () => {
      const { store, other, key } = await onSession();
      const turn = await beginDeadTurn(store, key);
      expect(await other.reap(key, aReap(turn))).toBe(true);
      expect(await recordOf(store, key, turn.turnId)).toBe(`reaped ${turn.turnId}`);
      const session = await store.read(key);
      expect(session).toMatchObject({ version: 1, messageCount: 1, usage: { totalTokens: 0 } });
      expect(session.running).toBeUndefined();
      expect(await historyOf(store, key)).toEqual(['old']);
      const next = await begin(store, key);
      expect(next.epoch).toBeGreaterThan(turn.epoch);
      expect(await store.finish(key, anEnding(next))).toEqual({ outcome: 'finished', version: 2 });
    });

    it('puts its event after everything that was flushed, beyond anything that can have been shown', async () => {
      const { store, key } = await onSession();
      const turn = await beginDeadTurn(store, key);
      await store.append(key, turn.epoch, aBatch(0, 3));
      await store.reap(key, aReap(turn));
      expect(await logOf(store, key, turn.epoch)).toBe('<0..3><producer lost>');
      const shownButNeverFlushed = 4000;
      const [last, ...more] = await store.readFrames(key, turn.epoch, shownButNeverFlushed);
      expect(last).toMatchObject({ afterSeq: 3, lastSeq: REAPER_SEQ });
      expect(more).toEqual([]);
      expect(await store.readFrames(key, turn.epoch, REAPER_SEQ)).toEqual([]);
    });

    it('leaves a log of its event alone when nothing was flushed', async () => {
      const { store, key } = await onSession();
      const turn = await beginDeadTurn(store, key);
      await store.reap(key, aReap(turn));
      expect(await store.readFrames(key, turn.epoch, 0)).toMatchObject([{ afterSeq: 0, lastSeq: REAPER_SEQ }]);
    });

    it('happens once, however many come at the same time', async () => {
      const { store, other, key } = await onSession();
      const turn = await beginDeadTurn(store, key);
      const reaps = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? store : other).reap(key, aReap(turn)));
      const answers = await Promise.all(reaps);
      expect(answers.filter((wasMine) => wasMine)).toHaveLength(1);
      expect(await logOf(store, key, turn.epoch)).toBe('<producer lost>');
    });

    it('comes too late for a turn that has finished, and for one that has been replaced', async () => {
      const { store, key } = await onSession();
      const done = await beginDeadTurn(store, key);
      await store.finish(key, anEnding(done));
      expect(await store.reap(key, aReap(done))).toBe(false);
      const running = await beginDeadTurn(store, key);
      expect(await store.reap(key, aReap(done))).toBe(false);
      expect(await store.reap(key, aReap({ ...running, turnId: 'another' }))).toBe(false);
      expect(await store.reap(key, aReap({ ...running, epoch: running.epoch + 1 }))).toBe(false);
      expect((await store.read(key)).running?.turnId).toBe(running.turnId);
      expect(await recordOf(store, key, done.turnId)).toBe(`ended ${done.turnId}`);
    });

    it('is false for a session that does not exist', async () => {
      const { store, key } = await onSession();
      const turn = await beginDeadTurn(store, key);
      expect(await store.reap(aKey(), aReap(turn))).toBe(false);
    });

    it('races the finish of its turn, and one of them wins whole', async () => {
      const { store, other } = bench;
      for (let round = 0; round < 10; round += 1) {
        const key = aKey();
        await store.create(key, aSession());
        const turn = await beginDeadTurn(store, key);
        const [finished, wasReaped] = await Promise.all([
          store.finish(key, anEnding(turn)),
          other.reap(key, aReap(turn)),
        ]);
        expect(finished.outcome).toBe(wasReaped ? 'fenced' : 'finished');
        expect(await historyOf(store, key)).toHaveLength(wasReaped ? 0 : 2);
        expect(await logOf(store, key, turn.epoch)).toBe(wasReaped ? '<producer lost>' : '<0..1>');
      }
    });
  });
}
