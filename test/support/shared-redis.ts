// Vitest's global setup: one Redis for the whole run, or the one that TEST_REDIS_URL names. Without redis-server the
// run fails here, before the first test: nothing is skipped silently.

import type { TestProject } from 'vitest/node';
import { RedisServer } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    redisUrl: string;
  }
}

let server: RedisServer | undefined;

export async function setup(project: TestProject): Promise<void> {
  const { TEST_REDIS_URL } = process.env;
  if (!TEST_REDIS_URL) server = await startOrExplain();
  project.provide('redisUrl', server?.url ?? TEST_REDIS_URL ?? '');
}

export async function teardown(): Promise<void> {
  await server?.stop();
}

async function startOrExplain(): Promise<RedisServer> {
  try {
    return await RedisServer.start();
  } catch (error) {
    throw new Error('The tests need redis-server on the PATH, or TEST_REDIS_URL. See scripts/ensure-servers.js.', {
      cause: error,
    });
  }
}
