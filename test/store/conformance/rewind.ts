// rewind: the newest messages go, their turns stay.

import { describe, expect, it } from 'vitest';
import type { SessionKey } from '../../../src/chat/session.ts';
import {
  aChange,
  aFailure,
  aKey,
  anEnding,
  aRewind,
  aSession,
  aTurn,
  type BegunTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  historyOf,
  recordOf,
  refusalOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

export function rewindBehaves(bench: Bench): void {
  /** A session with a message to begin with and two turns. */
  async function answeredTwice(): Promise<{ key: SessionKey; first: BegunTurn; second: BegunTurn }> {
    const { store } = bench;
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('hello')] }));
    const first = await commitTurn(store, key, { fullRecord: bytes('all of first') });
    return {
      key,
      first,
      second: await commitTurn(store, key, { fullRecord: bytes('all of second'), openCalls: '"f"' }),
    };
  }

  const superseded = async (key: SessionKey, turnId: string) => (await bench.other.readTurn(key, turnId)).isSuperseded;

  describe('rewind', () => {
    it('removes the newest messages, and makes the next version', async () => {
      const { store, other } = bench;
      const { key, first, second } = await answeredTwice();
      const before = await store.read(key);
      const rewound = await store.rewind(key, aRewind(3, 3, { supersededTurnIds: [second.turnId] }));
      expect(rewound).toMatchObject({ version: 4, messageCount: 3 });
      expect(rewound.updateTimeMs).toBeGreaterThanOrEqual(before.updateTimeMs);
      expect(await other.read(key)).toEqual(rewound);
      expect(await historyOf(other, key)).toEqual([
        'hello',
        `question of ${first.turnId}`,
        `answer of ${first.turnId}`,
      ]);
    });

    it('leaves no function call open', async () => {
      const { store } = bench;
      const { key } = await answeredTwice();
      await store.rewind(key, aRewind(3, 3));
      expect((await begin(store, key)).history).toHaveLength(3);
    });

    it('empties the history', async () => {
      const { store } = bench;
      const { key, first, second } = await answeredTwice();
      await store.rewind(key, aRewind(0, 3, { supersededTurnIds: [first.turnId, second.turnId] }));
      expect(await historyOf(store, key)).toEqual([]);
      const next = await commitTurn(store, key);
      expect(await historyOf(store, key)).toEqual([`question of ${next.turnId}`, `answer of ${next.turnId}`]);
    });

    it('keeps the turns, marks those whose messages went, and forgets their other candidates', async () => {
      const { store, other } = bench;
      const { key, first, second } = await answeredTwice();
      const failed = await begin(store, key, { answeredCalls: '"f"' });
      await store.finish(key, aFailure(failed));
      expect(await recordOf(other, key, second.turnId)).toBe('all of second');
      await store.rewind(
        key,
        aRewind(3, 3, { supersededTurnIds: [second.turnId, 'nobody'], latestTurnId: first.turnId }),
      );
      expect(await superseded(key, second.turnId)).toBe(true);
      expect(await superseded(key, first.turnId)).toBe(false);
      expect(await superseded(key, failed.turnId)).toBe(false);
      expect(await recordOf(other, key, second.turnId)).toBe(`ended ${second.turnId}`);
      expect(await refusalOf(other.readTurn(key, 'nobody'))).toBe('turn_not_found');
    });

    it('gives back the room that the messages took', async () => {
      const { store } = bench;
      const { key } = await answeredTwice();
      const messages = await historyOf(store, key);
      const bytesRemoved = messages.slice(3).join('').length;
      const kept = messages.slice(0, 3).join('').length;
      const { bytesBeside } = bench;
      await store.rewind(key, aRewind(3, 3, { messagesRemoved: messages.length - 3, bytesRemoved }));
      const question = bytes('q');
      const full = aTurn({ question, historyLimit: { messages: 1000, bytes: kept + 4 * bytesBeside } });
      expect(await store.begin(key, full)).toEqual({ outcome: 'history_full', messageCount: 3 });
      const fits = aTurn({ question, historyLimit: { messages: 5, bytes: kept + 4 * bytesBeside + 1 } });
      expect((await store.begin(key, fits)).outcome).toBe('begun');
    });

    it('is refused while a turn runs, dead or alive, and changes nothing', async () => {
      const { store, other } = bench;
      for (const start of [begin, beginDeadTurn]) {
        const { key } = await answeredTwice();
        const calls = { answeredCalls: '"f"' };
        const turn = await start(store, key, calls);
        const before = await stateOf(store, key);
        await expect(other.rewind(key, aRewind(0, 3))).rejects.toMatchObject({
          code: 'turn_in_progress',
          details: { activeTurnId: turn.turnId },
        });
        expect(await stateOf(store, key)).toEqual(before);
        expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'finished', version: 4 });
      }
    });

    it('names the current version when it was made from another one, and changes nothing', async () => {
      const { store } = bench;
      const { key } = await answeredTwice();
      const before = await stateOf(store, key);
      for (const ifVersion of [2, 4]) {
        await expect(store.rewind(key, aRewind(1, ifVersion))).rejects.toMatchObject({
          code: 'version_mismatch',
          details: { currentVersion: 3 },
        });
      }
      expect(await stateOf(store, key)).toEqual(before);
    });

    it('applies once when the same attempt is sent again, also after other changes', async () => {
      const { store } = bench;
      const { key } = await answeredTwice();
      const rewind = aRewind(1, 3);
      expect(await store.rewind(key, rewind)).toMatchObject({ version: 4 });
      await store.update(key, aChange(4));
      const turn = await commitTurn(store, key);
      expect(await store.rewind(key, rewind)).toMatchObject({ version: 6 });
      expect(await historyOf(store, key)).toEqual(['hello', `question of ${turn.turnId}`, `answer of ${turn.turnId}`]);
    });

    it('fails for a session that is not there', async () => {
      expect(await refusalOf(bench.store.rewind(aKey(), aRewind(0, 1)))).toBe('session_not_found');
    });
  });
}
