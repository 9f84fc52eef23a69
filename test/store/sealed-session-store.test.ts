// A store whose contents are sealed keeps the port's promises as any other, in front of each of those that keep contents.

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, inject, it } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { RECORD_BYTES } from '../../src/adapters/sealed/data-key.ts';
import { KeyRing } from '../../src/adapters/sealed/key-ring.ts';
import { SealedSessionStore } from '../../src/adapters/sealed/sealed-session-store.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import { configOf, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { systemClock } from '../support/system-clock.ts';
import { aKey, aSession, bytes, historyOf } from './builders.ts';
import { CONFORMANCE_RULES } from './conformance/bench.ts';
import { storeConformance } from './conformance.ts';

const client = new Redis(inject('redisUrl'));
afterAll(() => client.disconnect());

const OPTIONS = { bytesBeside: RECORD_BYTES, isSealing: true, manySessions: 500 };

const keys = { current: 'k1', keys: new Map([['k1', randomBytes(32)]]) };

/** Each replica has a ring of its own, and nothing that it cannot read. */
function sealed(store: SessionStore, alarms: string[]): SessionStore {
  return new SealedSessionStore(store, new KeyRing(keys), ({ record, reason }) => alarms.push(`${record} ${reason}`));
}

storeConformance(
  'sealed in memory',
  async () => {
    const alarms: string[] = [];
    const kept = new MemorySessionStore(systemClock, { ...CONFORMANCE_RULES, sessionsMax: 5000 });
    return {
      store: sealed(kept, alarms),
      other: sealed(kept, alarms),
      async close() {
        await kept.close();
        return alarms;
      },
    };
  },
  OPTIONS,
);

storeConformance(
  'sealed in Redis',
  async () => {
    const prefix = uniquePrefix();
    const alarms: string[] = [];
    const config = configOf(inject('redisUrl'), prefix);
    const stores = await Promise.all([0, 1].map(() => openRedisStore(config, CONFORMANCE_RULES)));
    const [store, other] = stores.map((one) => sealed(one, alarms)) as [SessionStore, SessionStore];
    return {
      store,
      other,
      async close() {
        await Promise.all([store.close(), other.close()]);
        return [...alarms, ...(await sweep(client, prefix))];
      },
    };
  },
  OPTIONS,
);

it('a creation whose first try has got no further than its id is sealed for that id', async () => {
  const prefix = uniquePrefix();
  const alarms: string[] = [];
  const store = sealed(await openRedisStore(configOf(inject('redisUrl'), prefix)), alarms);
  const first = aKey();
  const idempotency = { key: 'k', fingerprint: 'f', ttlMs: 60_000 };
  await store.claimCreation(first, idempotency);
  const made = await store.create(aKey(first.owner), aSession({ messages: [bytes('hello')], idempotency }));
  expect(made.sessionId).toBe(first.sessionId);
  expect(await historyOf(store, first)).toEqual(['hello']);
  expect(alarms).toEqual([]);
  await store.close();
  await sweep(client, prefix);
});
