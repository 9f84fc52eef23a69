// The promises of the port SessionStore, as one suite for every adapter: a new one begins by passing it.

import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { SessionStore } from '../../src/chat/session-store.ts';
import { againBehaves } from './conformance/again.ts';
import { appendBehaves } from './conformance/append.ts';
import { beginBehaves } from './conformance/begin.ts';
import type { Bench } from './conformance/bench.ts';
import { budgetBehaves } from './conformance/budget.ts';
import { cancelBehaves } from './conformance/cancel.ts';
import { changesBehave } from './conformance/changes.ts';
import { chooseBehaves } from './conformance/choose.ts';
import { creationBehaves } from './conformance/creation.ts';
import { deleteBehaves } from './conformance/delete.ts';
import { finishBehaves } from './conformance/finish.ts';
import { idempotencyBehaves } from './conformance/idempotency.ts';
import { importBehaves } from './conformance/import.ts';
import { isolationBehaves } from './conformance/isolation.ts';
import { leaseBehaves } from './conformance/lease.ts';
import { ledgerBehaves } from './conformance/ledger.ts';
import { lifetimeBehaves } from './conformance/lifetime.ts';
import { lineBehaves } from './conformance/line.ts';
import { listBehaves } from './conformance/list.ts';
import { rewindBehaves } from './conformance/rewind.ts';
import { roomBehaves } from './conformance/room.ts';
import { sealBehaves } from './conformance/seal.ts';
import { sessionBehaves } from './conformance/session.ts';
import { turnListBehaves } from './conformance/turn-list.ts';
import { usageBehaves } from './conformance/usage.ts';
import { watchBehaves } from './conformance/watch.ts';

export interface StoreUnderTest {
  readonly store: SessionStore;
  readonly other: SessionStore;
  /** Ends both, and names whatever they would leave behind for ever. */
  close(): Promise<readonly string[]>;
}

export interface ConformanceOptions {
  readonly manySessions?: number;
  /** What each record costs beside its bytes. */
  readonly bytesBeside?: number;
  /** It seals by itself, and shows no seal. */
  readonly isSealing?: boolean;
}

/** Empty stores with `CONFORMANCE_RULES`, new for every test. */
export type MakeStore = () => Promise<StoreUnderTest>;

export function storeConformance(name: string, makeStore: MakeStore, options: ConformanceOptions = {}): void {
  const { manySessions = 2000, bytesBeside = 0, isSealing = false } = options;
  describe(`${name}, a SessionStore,`, () => {
    let current: StoreUnderTest;
    beforeEach(async () => {
      current = await makeStore();
    });
    afterEach(async () => {
      expect(await current.close()).toEqual([]);
    });
    const bench: Bench = {
      get store() {
        return current.store;
      },
      get other() {
        return current.other;
      },
      manySessions,
      bytesBeside,
    };
    sessionBehaves(bench);
    creationBehaves(bench);
    roomBehaves(bench);
    rewindBehaves(bench);
    chooseBehaves(bench);
    importBehaves(bench);
    changesBehave(bench);
    deleteBehaves(bench);
    beginBehaves(bench);
    budgetBehaves(bench);
    appendBehaves(bench);
    finishBehaves(bench);
    againBehaves(bench);
    leaseBehaves(bench);
    ledgerBehaves(bench);
    turnListBehaves(bench);
    usageBehaves(bench);
    listBehaves(bench);
    lifetimeBehaves(bench);
    watchBehaves(bench);
    cancelBehaves(bench);
    idempotencyBehaves(bench);
    lineBehaves(bench);
    isolationBehaves(bench);
    if (!isSealing) sealBehaves(bench);
  });
}
