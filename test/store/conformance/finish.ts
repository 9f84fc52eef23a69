// finish: the one step that ends a turn, whatever is sent how often.

import { describe, expect, it } from 'vitest';
import type { TurnEndState } from '../../../src/chat/turn.ts';
import type { FinishTurn } from '../../../src/chat/turn-store.ts';
import {
  aBatch,
  aChange,
  aFailure,
  aKey,
  anEnding,
  aReap,
  aSession,
  aTurn,
  type BegunTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  historyOf,
  logOf,
  recordOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

export function finishBehaves(bench: Bench): void {
  async function running() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('old')] }));
    return { store, other, key, turn: await begin(store, key) };
  }

  describe('finish', () => {
    it('of a turn that commits: two messages, the next version, the end of the log, and a free session', async () => {
      const { store, other, key, turn } = await running();
      await store.append(key, turn.epoch, aBatch(0, 2));
      const messages = [bytes('ask'), bytes('say')] as const;
      const finished = await store.finish(key, anEnding(turn, { batch: aBatch(2, 3), messages }));
      expect(finished).toEqual({ outcome: 'finished', version: 2 });
      expect(await historyOf(other, key)).toEqual(['old', 'ask', 'say']);
      const session = await other.read(key);
      expect(session).toMatchObject({ version: 2, messageCount: 3 });
      expect(session.running).toBeUndefined();
      expect(await logOf(other, key, turn.epoch)).toBe('<0..2><2..3>');
      expect(await recordOf(other, key, turn.turnId)).toBe(`ended ${turn.turnId}`);
      expect((await begin(other, key)).history).toEqual(['old', 'ask', 'say']);
    });

    it('is never seen half done', async () => {
      const { store, other, key, turn } = await running();
      const finishing = store.finish(key, anEnding(turn));
      for (let i = 0; i < 20; i += 1) {
        const [session, history] = await Promise.all([other.read(key), historyOf(other, key)]);
        expect([1, 3]).toContain(history.length);
        expect(session.messageCount).toBe(session.version === 1 ? 1 : 3);
        expect(session.running === undefined).toBe(session.version === 2);
      }
      expect(await finishing).toEqual({ outcome: 'finished', version: 2 });
    });

    it.each<TurnEndState>(['BLOCKED', 'FAILED', 'CANCELLED'])(
      'of a %s turn leaves history and version, and frees the session',
      async (state) => {
        const { store, key, turn } = await running();
        const finished = await store.finish(key, aFailure(turn, { state, openCalls: '"never"' }));
        expect(finished).toEqual({ outcome: 'finished', version: 1 });
        const session = await store.read(key);
        expect(session).toMatchObject({ version: 1, messageCount: 1 });
        expect(session.running).toBeUndefined();
        expect(await historyOf(store, key)).toEqual(['old']);
        expect(await recordOf(store, key, turn.turnId)).toBe(`ended ${turn.turnId}`);
        expect(await logOf(store, key, turn.epoch)).toBe('<0..1>');
        expect((await begin(store, key)).version).toBe(1);
      },
    );

    it('answers a resend with the same version and changes nothing', async () => {
      const { store, other, key, turn } = await running();
      const usage = { promptTokens: 1, outputTokens: 2, totalTokens: 3 };
      const ending = anEnding(turn, { usage });
      await store.finish(key, ending);
      const before = await stateOf(store, key);
      for (const replica of [store, other]) {
        expect(await replica.finish(key, ending)).toEqual({ outcome: 'finished', version: 2 });
        const changed = { ...ending, record: bytes('changed'), version: 9, batch: aBatch(1, 2) };
        expect(await replica.finish(key, changed)).toEqual({ outcome: 'finished', version: 2 });
      }
      expect(await stateOf(store, key)).toEqual(before);
      expect(await logOf(store, key, turn.epoch)).toBe('<0..1>');
      expect(await recordOf(store, key, turn.turnId)).toBe(`ended ${turn.turnId}`);
    });

    it('answers a late resend with the version of then, also when other turns have followed', async () => {
      const { store, key, turn } = await running();
      const ending = anEnding(turn);
      await store.finish(key, ending);
      await commitTurn(store, key);
      const next = await begin(store, key);
      expect(await store.finish(key, ending)).toEqual({ outcome: 'finished', version: 2 });
      expect(await store.finish(key, anEnding(next))).toEqual({ outcome: 'finished', version: 4 });
      expect(await historyOf(store, key)).toHaveLength(7);
    });

    it('commits once when it is sent many times at once', async () => {
      const { store, other, key, turn } = await running();
      const ending = anEnding(turn);
      const sent = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? store : other).finish(key, ending));
      for (const finished of await Promise.all(sent)) expect(finished).toEqual({ outcome: 'finished', version: 2 });
      expect(await historyOf(store, key)).toHaveLength(3);
    });

    it('names the version when the session was changed during the turn, and takes it then', async () => {
      const { store, key, turn } = await running();
      await store.update(key, aChange(1));
      const before = await stateOf(store, key);
      expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'version_moved', version: 3 });
      expect(await stateOf(store, key)).toEqual(before);
      expect(await store.finish(key, anEnding(turn, { version: 3 }))).toEqual({ outcome: 'finished', version: 3 });
      expect(await store.read(key)).toMatchObject({ version: 3, messageCount: 3 });
    });

    it('names the version also when the turn does not commit', async () => {
      const { store, key, turn } = await running();
      await store.update(key, aChange(1));
      expect(await store.finish(key, aFailure(turn))).toEqual({ outcome: 'version_moved', version: 2 });
      expect(await store.finish(key, aFailure(turn, { version: 2 }))).toEqual({ outcome: 'finished', version: 2 });
    });

    it('says where the log stands when it follows something else, and carries the rest then', async () => {
      const { store, key, turn } = await running();
      await store.append(key, turn.epoch, aBatch(0, 2));
      const before = await stateOf(store, key);
      for (const afterSeq of [0, 1, 3]) {
        const ending = anEnding(turn, { batch: aBatch(afterSeq, 5) });
        expect(await store.finish(key, ending)).toEqual({ outcome: 'gap', lastSeq: 2 });
      }
      expect(await stateOf(store, key)).toEqual(before);
      const whole = anEnding(turn, { batch: aBatch(2, 5) });
      expect(await store.finish(key, whole)).toEqual({ outcome: 'finished', version: 2 });
      expect(await logOf(store, key, turn.epoch)).toBe('<0..2><2..5>');
    });

    it('is refused to a producer that was taken for dead, and the history stays as it was', async () => {
      const { store, other, key } = await running();
      const zombie = await replaceByZombie(key);
      for (const ending of [anEnding(zombie), aFailure(zombie)]) {
        expect(await store.finish(key, ending)).toEqual({ outcome: 'fenced' });
      }
      const next = await begin(other, key);
      expect(await store.finish(key, anEnding(zombie))).toEqual({ outcome: 'fenced' });
      expect(await historyOf(store, key)).toEqual([]);
      expect(await recordOf(store, key, zombie.turnId)).toBe(`reaped ${zombie.turnId}`);
      expect(await store.finish(key, anEnding(next))).toEqual({ outcome: 'finished', version: 2 });
    });

    /** The session anew, with a turn that was reaped. */
    async function replaceByZombie(key: { readonly owner: string; readonly sessionId: string }): Promise<BegunTurn> {
      const { store, other } = bench;
      await store.delete(key);
      await store.create(key, aSession());
      const zombie = await beginDeadTurn(store, key);
      await other.reap(key, aReap(zombie));
      return zombie;
    }

    it('is refused to a turn or an epoch that does not run', async () => {
      const { store, key, turn } = await running();
      const strangers: Partial<FinishTurn>[] = [{ turnId: 'another' }, { epoch: turn.epoch + 1 }];
      for (const given of strangers) {
        expect(await store.finish(key, anEnding(turn, given))).toEqual({ outcome: 'fenced' });
      }
      expect((await store.read(key)).running?.turnId).toBe(turn.turnId);
      expect(await historyOf(store, key)).toEqual(['old']);
    });

    it('finds a session that does not exist gone', async () => {
      const { store, turn } = await running();
      expect(await store.finish(aKey(), anEnding(turn))).toEqual({ outcome: 'gone' });
    });

    it('sums what the turns used, whatever became of them', async () => {
      const { store, key, turn } = await running();
      const usage = { promptTokens: 10, outputTokens: 20, thoughtTokens: 3, cachedTokens: 4, totalTokens: 33 };
      await store.finish(key, anEnding(turn, { usage }));
      const blocked = await begin(store, key);
      const less = { promptTokens: 1, outputTokens: 2, totalTokens: 3 };
      await store.finish(key, aFailure(blocked, { state: 'BLOCKED', usage: less }));
      const silent = await begin(store, key);
      await store.finish(key, aFailure(silent));
      expect((await store.read(key)).usage).toEqual({
        promptTokens: 11,
        outputTokens: 22,
        thoughtTokens: 3,
        cachedTokens: 4,
        totalTokens: 36,
      });
    });

    it('leaves calls open only when it commits', async () => {
      const { store, key, turn } = await running();
      await store.finish(key, anEnding(turn, { openCalls: '"weather"' }));
      const failed = await begin(store, key, { answeredCalls: '"weather"' });
      await store.finish(key, aFailure(failed, { openCalls: '' }));
      expect(await store.begin(key, aTurn())).toEqual({ outcome: 'calls_mismatch', openCalls: '"weather"' });
      const answered = await begin(store, key, { answeredCalls: '"weather"' });
      await store.finish(key, anEnding(answered, { openCalls: '' }));
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'begun' });
    });
  });
}
