// choose: another answer of the turn that owns the last two messages takes the place of the last one.

import { describe, expect, it } from 'vitest';
import type { ChooseCandidate } from '../../../src/chat/history-store.ts';
import type { SessionKey } from '../../../src/chat/session.ts';
import {
  aChoice,
  aFailure,
  aKey,
  anEnding,
  anImport,
  aRewind,
  aSession,
  aTurn,
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

/** In place of the last of the five messages that the sessions here have. */
const choosing = (turnId: string, ifVersion: number, given: Partial<ChooseCandidate> = {}) =>
  aChoice(turnId, ifVersion, { position: 4, ...given });

export function chooseBehaves(bench: Bench): void {
  /** A session of two turns; the second one has several candidates. Its version is 3. */
  async function answeredTwice(): Promise<{ key: SessionKey; older: string; turnId: string }> {
    const { store } = bench;
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('hello')] }));
    const older = await commitTurn(store, key, { fullRecord: bytes('all of the older') });
    const { turnId } = await commitTurn(store, key, { fullRecord: bytes('all'), openCalls: '"f"' });
    return { key, older: older.turnId, turnId };
  }

  describe('choose', () => {
    it('puts the message in the place of the last one, and makes the next version', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answeredTwice();
      const before = await store.read(key);
      const history = await historyOf(store, key);
      const chosen = await store.choose(key, choosing(turnId, 3));
      expect(chosen).toMatchObject({ version: 4, messageCount: 5, usage: before.usage });
      expect(chosen.updateTimeMs).toBeGreaterThanOrEqual(before.updateTimeMs);
      expect(await other.read(key)).toEqual(chosen);
      const expected = [...history.slice(0, -1), `other answer of ${turnId}`];
      expect(await historyOf(other, key)).toEqual(expected);
      expect(await begin(other, key)).toMatchObject({ version: 4, history: expected });
    });

    it('keeps what it is given byte for byte', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answeredTwice();
      const content = Uint8Array.from({ length: 256 }, (_, i) => i);
      await store.choose(key, choosing(turnId, 3, { message: content, record: content, fullRecord: content }));
      expect((await historyOf(other, key)).at(-1)).toBe(plain(content));
      expect(await recordOf(other, key, turnId)).toBe(plain(content));
    });

    it('keeps all candidates until the next commit, and then the chosen one', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answeredTwice();
      await store.choose(key, choosing(turnId, 3));
      await failTurn(store, key);
      expect(await recordOf(other, key, turnId)).toBe(`all of ${turnId}, other chosen`);
      await commitTurn(store, key);
      expect(await recordOf(other, key, turnId)).toBe(`ended otherwise ${turnId}`);
    });

    it('can be done again, and after turns that did not commit', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answeredTwice();
      await store.choose(key, choosing(turnId, 3));
      await failTurn(store, key);
      await store.choose(key, choosing(turnId, 4, { message: bytes('the first one again') }));
      expect((await historyOf(other, key)).at(-1)).toBe('the first one again');
      expect(await other.read(key)).toMatchObject({ version: 5, messageCount: 5 });
    });

    it('says which calls are open then', async () => {
      const { store } = bench;
      const { key, turnId } = await answeredTwice();
      await store.choose(key, choosing(turnId, 3, { openCalls: '"g"' }));
      expect(await store.begin(key, aTurn())).toEqual({ outcome: 'calls_mismatch', openCalls: '"g"' });
      await store.choose(key, choosing(turnId, 4));
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'begun' });
    });

    it('counts the bytes of a text, and not its characters', async () => {
      const { store } = bench;
      const { key, turnId } = await answeredTwice();
      await store.choose(key, choosing(turnId, 3, { message: 'é, —, 😀' }));
      expect(await outcomesAtTheLimit(store, key, {}, bench.bytesBeside)).toEqual(['history_full', 'begun']);
    });

    it.each([0, 5, 5000])('counts exactly the bytes of an answer of %i', async (length) => {
      const { store } = bench;
      const { key, turnId } = await answeredTwice();
      await store.choose(key, choosing(turnId, 3, { message: new Uint8Array(length) }));
      expect(await outcomesAtTheLimit(store, key, {}, bench.bytesBeside)).toEqual(['history_full', 'begun']);
    });

    it('counts the bytes of the record that stays', async () => {
      const { store } = bench;
      const { key, turnId } = await answeredTwice();
      const quarter = { record: new Uint8Array(CONFORMANCE_RULES.ledgerBytesMax / 4 + 1 - bench.bytesBeside) };
      await store.choose(key, choosing(turnId, 3, quarter));
      for (let i = 0; i < 2; i += 1) await failTurn(store, key, quarter);
      expect(await recordOf(store, key, turnId)).toBe(`all of ${turnId}, other chosen`);
      await failTurn(store, key, quarter);
      expect(await refusalOf(store.readTurn(key, turnId))).toBe('turn_not_found');
    });

    it('is refused for every turn but the one that owns the last two messages, and changes nothing', async () => {
      const { store, other } = bench;
      const { key, older, turnId } = await answeredTwice();
      const failed = await begin(store, key, { answeredCalls: '"f"' });
      await store.finish(key, aFailure(failed));
      const refused = async (id: string, version: number) => {
        const before = [await stateOf(store, key), await recordOf(store, key, turnId)];
        expect(await refusalOf(other.choose(key, choosing(id, version)))).toBe('not_latest_turn');
        expect([await stateOf(store, key), await recordOf(store, key, turnId)]).toEqual(before);
      };
      for (const id of [older, failed.turnId, 'nobody']) await refused(id, 3);
      await store.importMessages(key, anImport(['and'], 3, { position: 5 }));
      await refused(turnId, 4);
      await store.rewind(key, aRewind(3, 4, { supersededTurnIds: [turnId], latestTurnId: older }));
      await refused(turnId, 5);
      expect(await store.choose(key, choosing(older, 5, { position: 2 }))).toMatchObject({
        version: 6,
        messageCount: 3,
      });
      await store.rewind(key, aRewind(0, 6, { supersededTurnIds: [older] }));
      await refused(older, 7);
    });

    it('is refused while a turn runs, dead or alive, and changes nothing', async () => {
      const { store, other } = bench;
      for (const start of [begin, beginDeadTurn]) {
        const { key, turnId } = await answeredTwice();
        const running = await start(store, key, { answeredCalls: '"f"' });
        const before = await stateOf(store, key);
        await expect(other.choose(key, choosing(turnId, 3))).rejects.toMatchObject({
          code: 'turn_in_progress',
          details: { activeTurnId: running.turnId },
        });
        expect(await stateOf(store, key)).toEqual(before);
        expect(await store.finish(key, anEnding(running))).toEqual({ outcome: 'finished', version: 4 });
      }
    });

    it('names the current version when it was made from another one, and changes nothing', async () => {
      const { store } = bench;
      const { key, turnId } = await answeredTwice();
      const before = await stateOf(store, key);
      for (const ifVersion of [2, 4]) {
        await expect(store.choose(key, choosing(turnId, ifVersion))).rejects.toMatchObject({
          code: 'version_mismatch',
          details: { currentVersion: 3 },
        });
      }
      expect(await stateOf(store, key)).toEqual(before);
      expect(await recordOf(store, key, turnId)).toBe('all');
    });

    it('is done by exactly one of twenty that were made from the same version', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answeredTwice();
      const choices: ChooseCandidate[] = Array.from({ length: 20 }, (_, i) =>
        choosing(turnId, 3, { message: bytes(`answer ${i}`), fullRecord: bytes(`chosen ${i}`) }),
      );
      const settled = await Promise.allSettled(
        choices.map((choice, i) => (i % 2 === 0 ? store : other).choose(key, choice)),
      );
      const made = settled.findIndex(({ status }) => status === 'fulfilled');
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await historyOf(store, key)).at(-1)).toBe(`answer ${made}`);
      expect(await recordOf(store, key, turnId)).toBe(`chosen ${made}`);
      expect((await store.read(key)).version).toBe(4);
    });

    it('fails for a session that is not there', async () => {
      expect(await refusalOf(bench.store.choose(aKey(), choosing('turn', 1)))).toBe('session_not_found');
    });
  });
}
