// Random sequences of everything that can be done to a history, on two replicas over one Redis, beside a plain model of it: both
// agree after every step, and the strict emulator accepts the next request of every session that is left. A failure prints
// its seed.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { Client } from '../support/client.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { type RunningService, startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { command } from './history-commands.ts';
import { newModel, openCallsOf } from './history-model.ts';
import { replicaOf, type World } from './history-world.ts';

const RUNS = 500;
const COMMANDS_MAX = 16;

let emulator: Emulator;
let services: readonly [RunningService, RunningService];
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
  const env = {
    REDIS_URL: inject('redisUrl'),
    REDIS_KEY_PREFIX: uniquePrefix(),
    VERTEX_AI_EMULATOR_HOST: emulator.address,
    DEFAULT_MODEL: 'emulator',
    DRAIN_MS: '0',
  };
  services = [await startService(env), await startService(env)];
  for (const { url } of services) {
    await until('the replica is ready', async () => (await new Client(url).get('/readyz')).status === 200);
  }
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.close()));
  await emulator.close();
});

/** The next request of every session is one that a strict model takes. */
async function endsWell(world: World, model: ReturnType<typeof newModel>): Promise<void> {
  for (const session of model.sessions) {
    const calls = openCallsOf(session);
    const parts = calls.map((name) => ({ functionResponse: { name, response: {} } }));
    const body = calls.length > 0 ? { parts } : { message: 'and now?' };
    const { json } = await replicaOf(world).post(`${session.path}/messages`, body);
    expect(json.state, JSON.stringify(json)).toBe('COMMITTED');
  }
}

test(`a history and its model agree, ${RUNS} times`, { timeout: 300_000 }, async () => {
  const runs = fc.asyncProperty(
    fc.commands([command], { maxCommands: COMMANDS_MAX, size: 'max' }),
    async (commands) => {
      const world = {
        replicas: [new Client(services[0].url), new Client(services[1].url)],
        asked: 0,
      } as const satisfies World;
      const model = newModel();
      await fc.asyncModelRun(() => ({ model, real: { ...world } }), commands);
      await endsWell({ ...world }, model);
    },
  );
  await fc.assert(runs, { numRuns: RUNS, endOnFailure: false });
});
