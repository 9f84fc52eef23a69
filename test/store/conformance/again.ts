// begin and finish of a turn that answers a question again, and readQuestion: what was asked, and for how long it is known.

import { describe, expect, it } from 'vitest';
import type { BeginTurn, QuestionAgain } from '../../../src/chat/claim.ts';
import type { SessionKey } from '../../../src/chat/session.ts';
import {
  aChange,
  aChoice,
  aFailure,
  aKey,
  anEnding,
  anImport,
  aReap,
  aRewind,
  aSession,
  aTurn,
  type BegunTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  failTurn,
  historyOf,
  outcomesAtTheLimit,
  plain,
  recordOf,
  refusalOf,
  stateOf,
} from '../builders.ts';
import { type Bench, CONFORMANCE_RULES } from './bench.ts';

const replacing = (turnId: string): { again: QuestionAgain } => ({ again: { turnId, isReplaced: true } });
const asking = (turnId: string): { again: QuestionAgain } => ({ again: { turnId, isReplaced: false } });
const OLD = { outcome: 'not_latest_turn' };

export function againBehaves(bench: Bench): void {
  /** A session with a message to begin with, and one turn whose answer leaves a call open. Its version is 2. */
  async function answered(): Promise<{ key: SessionKey; turnId: string }> {
    const { store } = bench;
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('hello')] }));
    const { turnId } = await commitTurn(store, key, { fullRecord: bytes('all'), openCalls: '"f"' });
    return { key, turnId };
  }

  const isSuperseded = async (key: SessionKey, turnId: string) =>
    (await bench.other.readTurn(key, turnId)).isSuperseded;

  describe('begin of a turn that replaces', () => {
    it('does not see the last two messages, nor the calls that they leave open, also when it is sent again', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const before = await stateOf(store, key);
      const turn = aTurn(replacing(turnId));
      const begun = await store.begin(key, turn);
      expect(begun).toMatchObject({ outcome: 'begun', version: 2 });
      expect(begun.outcome === 'begun' && begun.history?.map(plain)).toEqual(['hello']);
      for (const replica of [store, other]) expect(await replica.begin(key, turn)).toEqual(begun);
      await store.letGo(key, turn);
      expect(await stateOf(store, key)).toEqual(before);
      expect(await recordOf(store, key, turnId)).toBe('all');
      expect(await begin(other, key, replacing(turnId))).toMatchObject({ history: ['hello'] });
    });

    it('is refused for any turn but the one that owns the last two messages', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const newer = await begin(store, key, { answeredCalls: '"f"' });
      await store.finish(key, anEnding(newer));
      const failed = await failTurn(store, key);
      const before = await stateOf(store, key);
      for (const id of [turnId, failed.turnId, 'nobody']) {
        expect(await other.begin(key, aTurn(replacing(id)))).toEqual(OLD);
      }
      expect(await stateOf(store, key)).toEqual(before);
      expect(await other.begin(key, aTurn(replacing(newer.turnId)))).toMatchObject({ outcome: 'begun' });
    });

    it('is told of another version first, and of a busy session before that', async () => {
      const { store, other } = bench;
      const { key } = await answered();
      const moved = aTurn({ ...replacing('nobody'), ifVersion: 1 });
      expect(await other.begin(key, moved)).toEqual({ outcome: 'version_mismatch', version: 2 });
      await begin(store, key, { answeredCalls: '"f"' });
      expect(await other.begin(key, moved)).toMatchObject({ outcome: 'busy' });
    });

    it('has the room that the replaced messages leave', async () => {
      const { store } = bench;
      const { key, turnId } = await answered();
      const kept = 'hello'.length + 2 * bench.bytesBeside;
      const outcomes = [];
      for (const [messages, room] of [
        [2, 100],
        [3, 0],
        [3, 1],
      ] as const) {
        const historyLimit = { messages, bytes: kept + room };
        const turn = aTurn({ ...replacing(turnId), question: bytes('q'), historyLimit });
        outcomes.push(await store.begin(key, turn));
        await store.letGo(key, turn);
      }
      const full = { outcome: 'history_full', messageCount: 3 };
      expect(outcomes).toEqual([full, full, expect.objectContaining({ outcome: 'begun' })]);
    });

    it('waits in line like any other, and is looked at when its time has come', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const running = await begin(store, key, { answeredCalls: '"f"' });
      const waiting: BeginTurn[] = [aTurn(replacing(turnId)), aTurn(replacing(turnId))];
      for (const turn of waiting) {
        expect(await other.begin(key, { ...turn, onBusy: 'enqueue' })).toMatchObject({ outcome: 'waits' });
      }
      await store.finish(key, aFailure(running));
      const [first, second] = waiting.map((turn): BeginTurn => ({ ...turn, onBusy: 'waiting' }));
      if (!first || !second) throw new Error('two of them wait');
      const begun = await other.begin(key, first);
      expect(begun.outcome === 'begun' && begun.history?.map(plain)).toEqual(['hello']);
      const epoch = begun.outcome === 'begun' ? begun.epoch : 0;
      await store.finish(key, anEnding({ turnId: first.turnId, epoch, version: 2, history: [] }, replaced(turnId)));
      expect(await other.begin(key, second)).toEqual(OLD);
      const record = bytes('was too late');
      expect(await other.leave(key, { turnId: second.turnId, record, onlyIfDead: false })).toBe(true);
    });
  });

  const replaced = (turnId: string) => ({ replacedTurnId: turnId });

  describe('finish of a turn that replaces', () => {
    it('puts its messages in the place of the last two, whose turn is superseded, in one step', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const turn = await begin(store, key, replacing(turnId));
      const finishing = store.finish(key, anEnding(turn, { ...replaced(turnId), fullRecord: bytes('all new') }));
      for (let i = 0; i < 20; i += 1) {
        const [session, history] = await Promise.all([other.read(key), historyOf(other, key)]);
        expect([session.messageCount, history.length, history[0]]).toEqual([3, 3, 'hello']);
      }
      expect(await finishing).toEqual({ outcome: 'finished', version: 3 });
      expect(await other.read(key)).toMatchObject({ version: 3, messageCount: 3 });
      expect(await historyOf(other, key)).toEqual(['hello', `question of ${turn.turnId}`, `answer of ${turn.turnId}`]);
      expect(await isSuperseded(key, turnId)).toBe(true);
      expect(await isSuperseded(key, turn.turnId)).toBe(false);
      expect(await recordOf(other, key, turnId)).toBe(`ended ${turnId}`);
      expect(await recordOf(other, key, turn.turnId)).toBe('all new');
      expect(await other.begin(key, aTurn(replacing(turnId)))).toEqual(OLD);
      expect(await other.begin(key, aTurn())).toMatchObject({ outcome: 'begun' });
    });

    it('replaces once when it is sent many times', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const turn = await begin(store, key, replacing(turnId));
      const ending = anEnding(turn, { ...replaced(turnId), openCalls: '"g"' });
      const sent = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? store : other).finish(key, ending));
      for (const finished of await Promise.all(sent)) expect(finished).toEqual({ outcome: 'finished', version: 3 });
      const next = await begin(store, key, { answeredCalls: '"g"' });
      await store.finish(key, anEnding(next));
      expect(await other.finish(key, ending)).toEqual({ outcome: 'finished', version: 3 });
      expect(await historyOf(store, key)).toHaveLength(5);
    });

    it.each([0, 7, 5000])('counts exactly the bytes of an answer of %i', async (length) => {
      const { store } = bench;
      const { key, turnId } = await answered();
      const turn = await begin(store, key, replacing(turnId));
      const messages = [bytes('question'), new Uint8Array(length)] as const;
      await store.finish(key, anEnding(turn, { ...replaced(turnId), messages }));
      expect(await outcomesAtTheLimit(store, key, {}, bench.bytesBeside)).toEqual(['history_full', 'begun']);
    });

    it('that failed, was reaped or was refused leaves everything of the one before as it was', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const before = await stateOf(store, key);
      const unchanged = async () => {
        expect(await stateOf(store, key)).toEqual(before);
        expect(await recordOf(other, key, turnId)).toBe('all');
        expect(await isSuperseded(key, turnId)).toBe(false);
      };
      const failed = await begin(store, key, replacing(turnId));
      await store.finish(key, aFailure(failed, { fullRecord: bytes('all blocked') }));
      await unchanged();
      const dead = await beginDeadTurn(store, key, replacing(turnId));
      await other.reap(key, aReap(dead));
      expect(await store.finish(key, anEnding(dead, replaced(turnId)))).toEqual({ outcome: 'fenced' });
      await unchanged();
      expect(await other.choose(key, aChoice(turnId, 2))).toMatchObject({ version: 3 });
      expect(await begin(store, key, replacing(turnId))).toMatchObject({ history: ['hello'] });
    });

    it('names the version when the session was changed meanwhile, and takes it then', async () => {
      const { store } = bench;
      const { key, turnId } = await answered();
      const turn = await begin(store, key, replacing(turnId));
      await store.update(key, aChange(2));
      const ending = anEnding(turn, replaced(turnId));
      expect(await store.finish(key, ending)).toEqual({ outcome: 'version_moved', version: 4 });
      expect(await store.finish(key, { ...ending, version: 4 })).toEqual({ outcome: 'finished', version: 4 });
      expect(await historyOf(store, key)).toHaveLength(3);
    });

    it('says nothing of a later turn that has the id of the replaced one, when the ledger had dropped it', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      await commitTurn(store, key, { turnId: 'id' });
      for (let i = 1; i < CONFORMANCE_RULES.ledgerTurnsMax; i += 1) await failTurn(store, key);
      const turn = await begin(store, key, replacing('id'));
      const waits = aTurn({ onBusy: 'enqueue' });
      await other.begin(key, waits);
      await other.leave(key, { turnId: waits.turnId, record: bytes('left'), onlyIfDead: false });
      expect(await refusalOf(store.readTurn(key, 'id'))).toBe('turn_not_found');
      await store.finish(key, anEnding(turn, replaced('id')));
      await commitTurn(store, key, { turnId: 'id' });
      expect(await isSuperseded(key, 'id')).toBe(false);
    });
  });

  describe('what a turn was asked', () => {
    async function onSession() {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const asked = async (turnId: string) => {
        const question = await other.readQuestion(key, turnId);
        return question && plain(question);
      };
      return { store, other, key, asked };
    }

    const ENDS = {
      FAILED: (key: SessionKey, turn: BegunTurn) => bench.store.finish(key, aFailure(turn)),
      BLOCKED: (key: SessionKey, turn: BegunTurn) =>
        bench.store.finish(key, aFailure(turn, { state: 'BLOCKED', fullRecord: bytes('all') })),
      CANCELLED: (key: SessionKey, turn: BegunTurn) => bench.store.finish(key, aFailure(turn, { state: 'CANCELLED' })),
      reaped: (key: SessionKey, turn: BegunTurn) => bench.store.reap(key, aReap(turn)),
    } as const;

    it.each(Object.entries(ENDS))('is known when it is %s, until another turn has ended', async (_how, end) => {
      const { store, other, key, asked } = await onSession();
      await commitTurn(store, key);
      const first = await beginDeadTurn(store, key, { question: bytes('first') });
      expect(await asked(first.turnId)).toBe('first');
      await end(key, first);
      expect(await asked(first.turnId)).toBe('first');
      const second = await begin(store, key, { ...asking(first.turnId), question: bytes('second') });
      expect(second).toMatchObject({ version: 2, history: expect.objectContaining({ length: 2 }) });
      expect([await asked(first.turnId), await asked(second.turnId)]).toEqual(['first', 'second']);
      await store.finish(key, aFailure(second));
      expect([await asked(first.turnId), await asked(second.turnId)]).toEqual([undefined, 'second']);
      expect(await other.begin(key, aTurn(asking(first.turnId)))).toEqual(OLD);
      expect(await other.begin(key, aTurn(asking(second.turnId)))).toMatchObject({ outcome: 'begun' });
    });

    it('is known byte for byte, also after changes that take nothing from the history', async () => {
      const { store, key, asked } = await onSession();
      const { turnId: committed } = await commitTurn(store, key);
      const question = Uint8Array.from({ length: 256 }, (_, i) => i);
      const turn = await begin(store, key, { question });
      await store.finish(key, aFailure(turn));
      await store.update(key, aChange(2));
      await store.choose(key, aChoice(committed, 3));
      await store.importMessages(key, anImport(['a'], 4, { position: 2 }));
      expect(await asked(turn.turnId)).toBe(plain(question));
      expect(await begin(store, key, asking(turn.turnId))).toMatchObject({ version: 5 });
    });

    it.each([
      ['it has committed', async (key: SessionKey, turn: BegunTurn) => bench.store.finish(key, anEnding(turn))],
      [
        'another one has committed',
        async (key: SessionKey, turn: BegunTurn) => {
          await bench.store.finish(key, aFailure(turn));
          await commitTurn(bench.store, key);
        },
      ],
      [
        'it was let go',
        async (key: SessionKey, { turnId }: BegunTurn) => bench.store.letGo(key, { turnId, attempt: 'its own' }),
      ],
    ])('is not known any more after %s', async (_what, happens) => {
      const { store, other, key, asked } = await onSession();
      const turn = await begin(store, key, { attempt: 'its own' });
      await happens(key, turn);
      expect(await asked(turn.turnId)).toBeUndefined();
      expect(await other.begin(key, aTurn(asking(turn.turnId)))).toEqual(OLD);
    });

    it('is known after a rewind, and asked after what is left', async () => {
      const { store, other, key, asked } = await onSession();
      await commitTurn(store, key);
      const failed = await failTurn(store, key);
      await store.rewind(key, aRewind(0, 2));
      expect(await asked(failed.turnId)).toBeDefined();
      expect(await other.begin(key, aTurn(asking(failed.turnId)))).toMatchObject({ outcome: 'begun', history: [] });
    });

    it('is left alone by a claim that was let go', async () => {
      const { store, other, key, asked } = await onSession();
      const failed = await failTurn(store, key);
      const claim = aTurn(asking(failed.turnId));
      expect(await store.begin(key, claim)).toMatchObject({ outcome: 'begun' });
      await other.letGo(key, claim);
      expect([await asked(failed.turnId), await asked(claim.turnId)]).toEqual(['question', undefined]);
      expect(await other.begin(key, aTurn(asking(failed.turnId)))).toMatchObject({ outcome: 'begun' });
    });

    it('is nothing of a turn that waits, or of one that left the line', async () => {
      const { store, other, key, asked } = await onSession();
      const running = await begin(store, key);
      const waits = aTurn({ onBusy: 'enqueue' });
      await other.begin(key, waits);
      expect(await asked(waits.turnId)).toBeUndefined();
      await other.leave(key, { turnId: waits.turnId, record: bytes('left'), onlyIfDead: false });
      expect(await asked(waits.turnId)).toBeUndefined();
      await store.finish(key, aFailure(running));
      expect(await asked(running.turnId)).toBe('question');
    });

    it('is nothing where there is no turn, and no session', async () => {
      const { store, key } = await onSession();
      expect(await store.readQuestion(key, 'nobody')).toBeUndefined();
      expect(await store.readQuestion(aKey(), 'nobody')).toBeUndefined();
    });

    it('has to answer the calls that are open then', async () => {
      const { store, key } = await onSession();
      const { turnId } = await failTurn(store, key);
      await store.importMessages(key, anImport(['a'], 1, { openCalls: '"f"' }));
      expect(await store.begin(key, aTurn(asking(turnId)))).toEqual({ outcome: 'calls_mismatch', openCalls: '"f"' });
    });

    it('goes with the session', async () => {
      const { store, key, asked } = await onSession();
      const { turnId } = await failTurn(store, key);
      await store.delete(key);
      await store.create(key, aSession());
      expect(await asked(turnId)).toBeUndefined();
    });
  });
}
