// Errands that are insisted on: how often they are tried, and what the end of the process means to them.

import { expect, it } from 'vitest';
import { Errands } from '../../src/adapters/redis/errands.ts';
import { ChatError } from '../../src/chat/errors.ts';
import { until } from '../support/until.ts';
import { storeAway } from '../support/wrapped-store.ts';

/** Fails so often, then succeeds. */
function failing(times: number, error: () => Error = storeAway) {
  let tries = 0;
  return {
    get tries() {
      return tries;
    },
    errand: async () => {
      tries += 1;
      if (tries <= times) throw error();
    },
  };
}

it('an errand is tried again while the store is away, and not after it was done', async () => {
  const errands = new Errands();
  const twice = failing(2);
  errands.insist(twice.errand);
  await until('it has been done', () => twice.tries === 3);
  await errands.settle();
  expect(twice.tries).toBe(3);
});

it('an errand that fails for any other reason is not tried again', async () => {
  const errands = new Errands();
  const wrong = failing(9, () => new ChatError('internal', 'no'));
  const away = failing(9);
  errands.insist(wrong.errand);
  errands.insist(away.errand);
  await until('the other one has been tried again', () => away.tries > 1);
  await errands.settle();
  expect(wrong.tries).toBe(1);
});

it('the end gives every errand that waits one more try, at once, and is not held up by those that fail', async () => {
  const errands = new Errands();
  const [hopeless, late] = [failing(99), failing(3)];
  for (const { errand } of [hopeless, late]) errands.insist(errand);
  await until('both have been tried three times', () => hopeless.tries === 3 && late.tries === 3);
  const began = performance.now();
  await errands.settle();
  // Their next pause would have been 400 ms.
  expect(performance.now() - began).toBeLessThan(200);
  expect(hopeless.tries).toBe(4);
  expect(late.tries).toBe(4);
});

it('no more errands wait than the memory may hold: who comes beyond them has one try', async () => {
  const errands = new Errands();
  const waiting = Array.from({ length: 10_000 }, () => failing(99));
  for (const { errand } of waiting) errands.insist(errand);
  await until('all have been tried', () => waiting.every(({ tries }) => tries > 0));
  const beyond = failing(99);
  errands.insist(beyond.errand);
  await until('those that wait have had two more', () => waiting.every(({ tries }) => tries > 2));
  await errands.settle();
  expect(beyond.tries).toBe(1);
});
