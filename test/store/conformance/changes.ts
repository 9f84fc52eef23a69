// update, rewind, choose and importMessages: each is made once, however often it is sent, whatever came in between.

import { describe, expect, it } from 'vitest';
import type { SessionKey } from '../../../src/chat/session.ts';
import type { StoredSession } from '../../../src/chat/stored-session.ts';
import {
  aChange,
  aChoice,
  aKey,
  anImport,
  aRewind,
  aSession,
  bytes,
  commitTurn,
  recordOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

const KINDS = ['update', 'rewind', 'choose', 'importMessages'] as const;
type Kind = (typeof KINDS)[number];

export function changesBehave(bench: Bench): void {
  /** A change, to be sent as often as a test wants. It fits a history that ends with its only turn, and leaves one. */
  function made(kind: Kind, turnId: string, ifVersion: number, attempt: string) {
    return async (key: SessionKey, replica = bench.store): Promise<StoredSession> => {
      switch (kind) {
        case 'update':
          return replica.update(key, aChange(ifVersion, { attempt, config: bytes(attempt) }));
        case 'rewind':
          return replica.rewind(key, aRewind(2, ifVersion, { attempt, latestTurnId: turnId }));
        case 'choose':
          return replica.choose(key, aChoice(turnId, ifVersion, { attempt, message: bytes(attempt) }));
        case 'importMessages':
          return replica.importMessages(key, anImport(['imported'], ifVersion, { attempt }));
        default:
          return kind satisfies never;
      }
    };
  }

  /** A session with one turn, at version 2. */
  async function answered() {
    const { store } = bench;
    const key = aKey();
    await store.create(key, aSession());
    const { turnId } = await commitTurn(store, key);
    return { key, turnId };
  }

  describe.each(KINDS)('%s', (kind) => {
    it('is known again after fifteen other changes of all kinds, and made once', async () => {
      const { store, other } = bench;
      const { key, turnId } = await answered();
      const change = made(kind, turnId, 2, 'the-first');
      expect(await change(key)).toMatchObject({ version: 3 });
      // A rewind before each choice: there it ends with the turn.
      const cycle = ['rewind', 'choose', 'update', 'importMessages'] as const;
      for (let i = 0; i < 15; i += 1) {
        const between = made(cycle[i % 4] ?? 'update', turnId, 3 + i, `another-${i}`);
        expect(await between(key)).toMatchObject({ version: 4 + i });
      }
      const before = [await stateOf(store, key), await recordOf(store, key, turnId)];
      for (const replica of [store, other]) expect(await change(key, replica)).toMatchObject({ version: 18 });
      expect([await stateOf(store, key), await recordOf(store, key, turnId)]).toEqual(before);
    });

    it('is not taken for another one whose name holds its own', async () => {
      const { store } = bench;
      const { key, turnId } = await answered();
      await store.update(key, aChange(2, { attempt: 'attempt-1' }));
      expect(await made(kind, turnId, 3, 'attempt')(key)).toMatchObject({ version: 4 });
      expect(await made(kind, turnId, 3, 'attempt')(key)).toMatchObject({ version: 4 });
    });
  });
}
