// What is counted in this process's memory keeps the port's promises, and grows no further than it may.

import { expect, it } from 'vitest';
import { MemoryQuotas } from '../../src/adapters/memory/memory-quotas.ts';
import { RATE_WINDOW } from '../../src/chat/quotas.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { systemClock } from '../support/system-clock.ts';
import { quotasConformance } from './conformance.ts';

quotasConformance('the memory adapter', async (window) => {
  const quotas = new MemoryQuotas(systemClock, window);
  return { quotas, other: quotas, close: async () => [] };
});

it('who asks for more than is allowed gets nearly all of it in the long run, and no more in any minute', async () => {
  const clock = new ManualClock();
  const quotas = new MemoryQuotas(clock, RATE_WINDOW);
  const owner = { kind: 'owner', name: 'a' } as const;
  const admitted: number[] = [];
  for (let second = 0; second < 3600; second += 1) {
    for (let i = 0; i < 5; i += 1) if ((await quotas.count(owner, 120)).isAdmitted) admitted.push(second);
    await clock.advance(1000);
  }
  for (let from = 0; from + 60 <= 3600; from += 1) {
    expect(admitted.filter((second) => second >= from && second < from + 60).length).toBeLessThanOrEqual(120);
  }
  expect(admitted.length).toBeGreaterThan(0.9 * 120 * 60);
});

it('who waits as long as told is admitted, whenever that was', async () => {
  const clock = new ManualClock();
  const quotas = new MemoryQuotas(clock, RATE_WINDOW);
  const owner = { kind: 'owner', name: 'a' } as const;
  for (let round = 0; round < 200; round += 1) {
    const { isAdmitted, waitMs } = await quotas.count(owner, 7);
    if (isAdmitted) await clock.advance((round * 977) % 4000);
    else {
      await clock.advance(waitMs - 1);
      expect((await quotas.count(owner, 7)).isAdmitted).toBe(false);
      await clock.advance(1);
      expect((await quotas.count(owner, 7)).isAdmitted).toBe(true);
    }
  }
});

it('when the limit is lowered, the wait is until enough old requests have gone', async () => {
  const clock = new ManualClock();
  const quotas = new MemoryQuotas(clock, RATE_WINDOW);
  const owner = { kind: 'owner', name: 'a' } as const;
  for (let i = 0; i < 5; i += 1) {
    await quotas.count(owner, 5);
    await clock.advance(5000);
  }
  for (const [limit, gone] of [
    [5, 1],
    [4, 2],
    [1, 5],
  ] as const) {
    const { isAdmitted, waitMs } = await quotas.count(owner, limit);
    expect({ limit, isAdmitted, waitMs }).toEqual({ limit, isAdmitted: false, waitMs: 35_000 + gone * 5000 });
  }
});

it('ten thousand callers are remembered, those who have asked last', async () => {
  const quotas = new MemoryQuotas(systemClock, RATE_WINDOW);
  const ask = async (name: string) => (await quotas.count({ kind: 'address', name }, 1)).isAdmitted;
  await ask('first');
  await ask('second');
  for (let i = 0; i < 9_999; i += 1) await ask(`${i}`);
  expect(await ask('second')).toBe(false);
  expect(await ask('first')).toBe(true);
});
