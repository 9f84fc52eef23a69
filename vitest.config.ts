// One Redis for the whole run (test/support/shared-redis.ts); the tests keep apart by key prefixes of their own.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/shared-redis.ts'],
    globals: false,
    pool: 'forks',
    // The tests start Redis servers of their own: more workers than this make timings mean less, not runs shorter.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
  },
});
