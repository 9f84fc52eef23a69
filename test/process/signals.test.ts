// Signals that come more than once: process groups and npm deliver them twice.

import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type SpawnedService, spawnService } from '../support/spawned-service.ts';
import { until } from '../support/until.ts';

/** A service with a stream that would never end by itself. */
async function streaming(service: SpawnedService) {
  const client = new Client(service.url);
  const stream = client.stream(await client.session({}), { message: '[[stall]]' });
  await stream.until('the first delta', () => stream.answer() !== '');
  return stream;
}

async function signalled(service: SpawnedService, signal: NodeJS.Signals) {
  service.process.signal(signal);
  await until('it drains', () => service.process.output.includes('shutting down'));
}

test.each([
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
] as const)('%s and %s right after it end streams with a terminal event, and the process with 0', async (one, two) => {
  await using service = await spawnService();
  const stream = await streaming(service);
  await signalled(service, one);
  service.process.signal(two);
  await stream.done();
  expect(stream.terminal?.data.problem.code).toBe('draining');
  await until('the process has ended', () => service.process.hasExited);
  expect(service.process.exitCode).toBe(0);
  expect(service.process.output.match(/shutting down/g)).toHaveLength(1);
});

test('SIGINT that comes again later ends the process without waiting for its streams', async () => {
  await using service = await spawnService({ DRAIN_MS: '60000' });
  const stream = await streaming(service);
  await signalled(service, 'SIGINT');
  await until(
    'the process has ended',
    () => {
      service.process.signal('SIGINT');
      return service.process.hasExited;
    },
    { everyMs: 100 },
  );
  expect(service.process.exitCode).toBe(130);
  expect((await stream.done()).terminal).toBeUndefined();
});
