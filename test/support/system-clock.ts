// The clock of the process, for tests that wait for real time.

import type { Clock } from '../../src/chat/clock.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};
