// importMessages: messages that no turn has made follow the history.

import { describe, expect, it } from 'vitest';
import { IMPORTED, type ImportMessages } from '../../../src/chat/history-store.ts';
import type { SessionKey } from '../../../src/chat/session.ts';
import { until } from '../../support/until.ts';
import {
  aChange,
  aChoice,
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
import type { Bench } from './bench.ts';

const DAY_MS = 86_400_000;
/** How many keys of imports are kept at least, and at most. */
const KEYS_KEPT = 1000;
const ROOMY = { historyLimit: { messages: 2 * KEYS_KEPT, bytes: 1_000_000 } };

export function importBehaves(bench: Bench): void {
  async function onSession(given: Parameters<typeof aSession>[0] = {}) {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession(given));
    return { store, other, key };
  }

  const imported = (turnId = IMPORTED) => ({ outcome: 'repeated', turnId });

  describe('importMessages', () => {
    it('appends the messages in their order, and makes one version', async () => {
      const { store, other, key } = await onSession({ messages: [bytes('hello')] });
      const before = await store.read(key);
      const after = await store.importMessages(key, anImport(['a', 'b', 'c'], 1, { position: 1 }));
      expect(after).toMatchObject({ version: 2, messageCount: 4, usage: before.usage });
      expect(after.updateTimeMs).toBeGreaterThanOrEqual(before.updateTimeMs);
      expect(await other.read(key)).toEqual(after);
      expect(await historyOf(other, key)).toEqual(['hello', 'a', 'b', 'c']);
      expect(await begin(other, key)).toMatchObject({ version: 2, history: ['hello', 'a', 'b', 'c'] });
    });

    it('appends to nothing, and byte for byte', async () => {
      const { store, other, key } = await onSession();
      const content = Uint8Array.from({ length: 256 }, (_, i) => i);
      await store.importMessages(key, anImport([], 1, { messages: [content, new Uint8Array(0)] }));
      expect(await historyOf(other, key)).toEqual([plain(content), '']);
    });

    it('says which calls are open then', async () => {
      const { store, key } = await onSession({ openCalls: '"f"' });
      await store.importMessages(key, anImport(['a'], 1, { openCalls: '"g"' }));
      expect(await store.begin(key, aTurn())).toEqual({ outcome: 'calls_mismatch', openCalls: '"g"' });
      await store.importMessages(key, anImport(['b'], 2, { position: 1 }));
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'begun' });
    });

    it('leaves the last messages to no turn, until they are gone again', async () => {
      const { store, other, key } = await onSession();
      const { turnId } = await commitTurn(store, key, { fullRecord: bytes('all') });
      await store.importMessages(key, anImport(['a', 'b'], 2));
      expect(await recordOf(other, key, turnId)).toBe(`ended ${turnId}`);
      expect((await other.readTurn(key, turnId)).isSuperseded).toBe(false);
      expect(await refusalOf(other.choose(key, aChoice(turnId, 3)))).toBe('not_latest_turn');
      const again = aTurn({ again: { turnId, isReplaced: true } });
      expect(await other.begin(key, again)).toEqual({ outcome: 'not_latest_turn' });
      await store.rewind(key, aRewind(2, 3, { bytesRemoved: 2, latestTurnId: turnId }));
      expect(await other.begin(key, again)).toMatchObject({ outcome: 'begun', history: [] });
    });

    it('leaves what a newer turn was asked that did not commit', async () => {
      const { store, other, key } = await onSession();
      const { turnId } = await failTurn(store, key);
      await store.importMessages(key, anImport(['a'], 1));
      expect(plain((await other.readQuestion(key, turnId)) ?? bytes(''))).toBe('question');
    });

    it('counts exactly the bytes that it adds', async () => {
      const { store, key } = await onSession({ messages: [bytes('hello')] });
      await store.importMessages(key, anImport(['', 'abc', 'x'.repeat(5000)], 1, { position: 1 }));
      expect(await outcomesAtTheLimit(store, key, {}, bench.bytesBeside)).toEqual(['history_full', 'begun']);
    });

    it('is refused when there would be more messages or bytes than allowed, and fits when there are just so many', async () => {
      const { store, key } = await onSession({ messages: [bytes('hello')] });
      const before = await stateOf(store, key);
      const added = (limit: ImportMessages['historyLimit']) =>
        anImport(['ab', 'cd'], 1, { position: 1, historyLimit: limit });
      const bytesBeside = 3 * bench.bytesBeside;
      for (const limit of [
        { messages: 2, bytes: 1000 },
        { messages: 100, bytes: 8 + bytesBeside },
      ]) {
        expect(await refusalOf(store.importMessages(key, added(limit)))).toBe('history_full');
      }
      expect(await stateOf(store, key)).toEqual(before);
      const limit = { messages: 3, bytes: 9 + bytesBeside };
      expect(await store.importMessages(key, added(limit))).toMatchObject({ messageCount: 3 });
    });

    it('is refused while a turn runs, dead or alive, and changes nothing', async () => {
      for (const start of [begin, beginDeadTurn]) {
        const { store, other, key } = await onSession();
        const running = await start(store, key);
        const before = await stateOf(store, key);
        await expect(other.importMessages(key, anImport(['a'], 1))).rejects.toMatchObject({
          code: 'turn_in_progress',
          details: { activeTurnId: running.turnId },
        });
        expect(await stateOf(store, key)).toEqual(before);
        expect(await store.finish(key, anEnding(running))).toEqual({ outcome: 'finished', version: 2 });
      }
    });

    it('names the current version when it was made from another one, and changes nothing', async () => {
      const { store, key } = await onSession();
      await store.update(key, aChange(1));
      const before = await stateOf(store, key);
      for (const ifVersion of [1, 3]) {
        await expect(store.importMessages(key, anImport(['a'], ifVersion))).rejects.toMatchObject({
          code: 'version_mismatch',
          details: { currentVersion: 2 },
        });
      }
      expect(await stateOf(store, key)).toEqual(before);
    });

    it('fails for a session that is not there', async () => {
      expect(await refusalOf(bench.store.importMessages(aKey(), anImport(['a'], 1)))).toBe('session_not_found');
    });
  });

  describe('importMessages with an idempotency key', () => {
    const keyed = (key = 'k', fingerprint = 'same', ttlMs = DAY_MS) => ({ idempotency: { key, fingerprint, ttlMs } });
    const recall = (sessionKey: SessionKey, key = 'k', fingerprint = 'same') =>
      bench.other.recall(sessionKey, { key, fingerprint });

    it('imports once, and answers with the session as it has become', async () => {
      const { store, other, key } = await onSession();
      await store.importMessages(key, anImport(['a'], 1, keyed()));
      await commitTurn(store, key);
      expect(await other.importMessages(key, anImport(['a'], 3, keyed()))).toMatchObject({ version: 3 });
      expect(await historyOf(store, key)).toHaveLength(3);
      expect(await recall(key)).toEqual(imported());
    });

    it('looks at the key before busy, version and limits', async () => {
      const { store, other, key } = await onSession();
      await store.importMessages(key, anImport(['a'], 1, keyed()));
      await begin(store, key);
      const again = anImport(['a'], 77, { ...keyed(), historyLimit: { messages: 0, bytes: 0 } });
      expect(await other.importMessages(key, again)).toMatchObject({ version: 2, messageCount: 1 });
    });

    it('is refused for another content, and changes nothing', async () => {
      const { store, other, key } = await onSession();
      await store.importMessages(key, anImport(['a'], 1, keyed('k', 'one')));
      const before = await stateOf(store, key);
      expect(await refusalOf(other.importMessages(key, anImport(['b'], 2, keyed('k', 'two'))))).toBe(
        'idempotency_mismatch',
      );
      expect(await recall(key, 'k', 'two')).toEqual({ outcome: 'idempotency_mismatch' });
      expect(await stateOf(store, key)).toEqual(before);
    });

    it('has its keys in common with sends', async () => {
      const { store, other, key } = await onSession();
      const turn = await begin(store, key, keyed('of a send', 'sent'));
      const second = anImport(['a'], 1, keyed('of a send', 'imported'));
      expect(await refusalOf(other.importMessages(key, second))).toBe('idempotency_mismatch');
      await store.finish(key, anEnding(turn));
      expect(await refusalOf(other.importMessages(key, { ...second, ifVersion: 2 }))).toBe('idempotency_mismatch');
      await store.importMessages(key, anImport(['a'], 2, keyed('of an import', 'imported')));
      const send = aTurn(keyed('of an import', 'sent'));
      expect(await other.begin(key, send)).toEqual({ outcome: 'idempotency_mismatch' });
      expect(await other.read(key)).toMatchObject({ version: 3, messageCount: 3 });
    });

    it('is claimed once, however many come at the same time', async () => {
      const { store, other, key } = await onSession();
      const imports = Array.from({ length: 12 }, (_, i) =>
        (i % 2 ? store : other).importMessages(key, anImport(['a'], 1, keyed())),
      );
      expect(new Set((await Promise.all(imports)).map(({ version }) => version))).toEqual(new Set([2]));
      expect(await historyOf(store, key)).toEqual(['a']);
    });

    it('does not take the key when it is refused', async () => {
      const { store, key } = await onSession();
      const turn = await begin(store, key);
      const full = { historyLimit: { messages: 0, bytes: 0 } };
      await refusalOf(store.importMessages(key, anImport(['a'], 1, keyed())));
      await store.finish(key, anEnding(turn));
      await refusalOf(store.importMessages(key, anImport(['a'], 1, keyed())));
      await refusalOf(store.importMessages(key, anImport(['a'], 2, { ...keyed(), ...full })));
      expect(await recall(key)).toBeUndefined();
      expect(await store.importMessages(key, anImport(['b'], 2, keyed('k', 'another')))).toMatchObject({ version: 3 });
    });

    it('keeps the newest keys, and no more', async () => {
      const { store, key } = await onSession();
      const turn = await begin(store, key, keyed('of a send'));
      await store.finish(key, anEnding(turn));
      for (let i = 0; i <= KEYS_KEPT + 1; i += 1) {
        await store.importMessages(key, anImport(['a'], 2 + i, { ...keyed(`k${i}`), ...ROOMY }));
      }
      for (const i of [0, 1]) expect(await recall(key, `k${i}`)).toBeUndefined();
      for (const i of [2, 50, KEYS_KEPT + 1]) expect(await recall(key, `k${i}`)).toEqual(imported());
      expect(await recall(key, 'of a send')).toEqual(imported(turn.turnId));
    });

    it('keeps a key that was used a second time, after its time, as long as any other', async () => {
      const { store, key } = await onSession();
      await store.importMessages(key, anImport(['a'], 1, keyed('k', 'one', 1)));
      await store.importMessages(key, anImport(['a'], 2, { position: 1, ...keyed('sent', 'one', 1) }));
      await until('they are new', async () => !(await recall(key, 'k', 'one')) && !(await recall(key, 'sent', 'one')));
      const turn = await begin(store, key, keyed('sent', 'two'));
      await store.finish(key, anEnding(turn));
      await store.importMessages(key, anImport(['b'], 4, keyed('k', 'two')));
      for (let i = 0; i < KEYS_KEPT - 1; i += 1) {
        await store.importMessages(key, anImport(['a'], 5 + i, { ...keyed(`k${i}`), ...ROOMY }));
      }
      expect(await recall(key, 'k', 'two')).toEqual(imported());
      expect(await recall(key, 'sent', 'two')).toEqual(imported(turn.turnId));
    });

    it('is of its session alone, and goes with it', async () => {
      const { store, key } = await onSession();
      const second = aKey(key.owner);
      await store.create(second, aSession());
      await store.importMessages(key, anImport(['a'], 1, keyed()));
      expect(await recall(second)).toBeUndefined();
      await store.delete(key);
      await store.create(key, aSession());
      expect(await recall(key)).toBeUndefined();
    });
  });
}
