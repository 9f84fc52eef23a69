// One Redis for the whole run (test/support/shared-redis.ts); the tests keep apart by key prefixes of their own.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/shared-redis.ts'],
    globals: false,
    pool: 'forks',
    // Two cores, and a fifth of the time is waiting for leases, timeouts and processes: more workers than this make timings mean
    // less, not runs shorter.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
  },
});
