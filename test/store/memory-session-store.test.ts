// The store in this process's memory keeps the port's promises, and its own limit.

import { expect, it } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { systemClock } from '../support/system-clock.ts';
import { until } from '../support/until.ts';
import { aKey, aSession, isGone, refusalOf } from './builders.ts';
import { CONFORMANCE_RULES } from './conformance/bench.ts';
import { storeConformance } from './conformance.ts';

storeConformance('the memory store', async () => {
  const store = new MemorySessionStore(systemClock, { ...CONFORMANCE_RULES, sessionsMax: 5000 });
  return {
    store,
    other: store,
    async close() {
      await store.close();
      return [];
    },
  };
});

it('the memory store holds a limited number of sessions, of all owners together', async () => {
  const store = new MemorySessionStore(systemClock, { ...CONFORMANCE_RULES, sessionsMax: 2 });
  const [first, second, third] = [aKey(), aKey(), aKey()];
  await store.create(first, aSession({ ttlS: 0.05 }));
  await store.create(second, aSession());
  expect(await refusalOf(store.create(third, aSession()))).toBe('overloaded');
  expect(await isGone(store, second)).toBe(false);
  await until('the first has expired and made room', async () => {
    return (await store.create(third, aSession()).catch(() => undefined)) !== undefined;
  });
});
