// Words that nobody may read, one for each place that a word can come from, sent to every operation by good and bad callers of
// a process that logs as much as it can: none of them is printed, and what says who somebody is is not in Redis.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Operation, operations } from '../../fuzz/document.ts';
import { startEmulator } from '../../src/emulator/server.ts';
import { newKey } from '../../src/identity/api-key-store.ts';
import { openApiKeys } from '../support/api-key-store.ts';
import { send } from '../support/client.ts';
import { Issuer } from '../support/issuer.ts';
import { everythingIn } from '../support/redis-contents.ts';
import { RedisServer } from '../support/redis-server.ts';
import { spawnService } from '../support/spawned-service.ts';

const PLACES = ['key', 'badKey', 'header', 'cookie', 'query', 'text', 'broken', 'idempotencyKey'] as const;
type Canaries = Record<(typeof PLACES)[number], string>;

const newCanaries = () =>
  Object.fromEntries(PLACES.map((place) => [place, `canary-${place}-${randomUUID()}`])) as Canaries;

function bodyOf({ operationId, body }: Operation, said: string): unknown {
  if (!body) return undefined;
  const messages = [
    { author: 'user', content: said },
    { author: 'bot', content: said },
  ];
  const bodies: Readonly<Record<string, unknown>> = {
    createSession: { context: said, displayName: said, messageHistory: messages, nonsense: said },
    importMessages: { messages },
    rewindSession: { toMessageId: 'none' },
    chooseCandidate: { candidate: 0 },
  };
  const isSend = ['sendMessage', 'streamMessage', 'countTokens'].includes(operationId);
  return bodies[operationId] ?? (isSend ? { message: said } : { displayName: said });
}

/** Every operation, as a good caller, as a bad one, with a broken body, and with what belongs nowhere. */
async function callAll(url: string, credential: string, canaries: Canaries): Promise<ReadonlySet<number>> {
  const seen = new Set<number>();
  const good = { authorization: `Bearer ${credential}` };
  const odd = { cookie: canaries.cookie, 'x-canary': canaries.header, 'idempotency-key': canaries.idempotencyKey };
  await send(`${url}/v1/sessions`, 'POST', { body: { id: 's', context: canaries.text }, headers: good });
  for (const operation of operations) {
    const path = operation.path.replace('{sessionId}', 's').replace('{turnId}', 'none');
    // A session that is gone would answer everything else with 404.
    const target = operation.operationId === 'deleteSession' ? '/v1/sessions/none' : path;
    const body = bodyOf(operation, canaries.text);
    const call = (headers: Readonly<Record<string, string>>, sent: unknown, query = '') =>
      send(`${url}${target}${query}`, operation.method, { headers, body: sent, isEndless: target.endsWith('/events') });
    const answers = [
      await call({ ...good, ...odd }, body),
      await call({ authorization: `Bearer ${canaries.badKey}`, 'x-api-key': canaries.badKey }, body),
      await call(good, body === undefined ? undefined : `{"message": "${canaries.broken}`),
      await call(good, body, `?access_token=${credential}&q=${canaries.query}`),
    ];
    for (const { status } of answers) seen.add(status);
  }
  return seen;
}

let redis: RedisServer;
let emulator: Awaited<ReturnType<typeof startEmulator>>;
beforeAll(async () => {
  redis = await RedisServer.start();
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(async () => {
  await redis.stop();
  await emulator.close();
});

const environment = (prefix: string) => ({
  REDIS_URL: redis.url,
  REDIS_KEY_PREFIX: prefix,
  VERTEX_AI_EMULATOR_HOST: emulator.address,
  DEFAULT_MODEL: 'emulator',
  LOG_LEVEL: 'trace',
});

async function readableIn(prefix: string, canaries: Canaries): Promise<readonly string[]> {
  const client = redis.client();
  const contents = await everythingIn(client, `${prefix}*`);
  client.disconnect();
  return PLACES.filter((place) => contents.includes(canaries[place]));
}

test('with API keys nothing is printed, and no key is in Redis, where they are kept', async () => {
  const canaries = newCanaries();
  const store = await openApiKeys(redis.url, 'canary-keys');
  const { key, kept } = newKey({ owner: 'alice' }, Date.now());
  await store.add(kept);
  store.close();
  await using service = await spawnService({ ...environment('canary-keys'), AUTH: 'api-key' });
  const seen = await callAll(service.url, key, { ...canaries, key });
  for (const status of [200, 201, 400, 401, 404]) expect(seen, `no ${status}`).toContain(status);
  expect(service.process.output).toContain('"msg":"request"');
  expect(PLACES.filter((place) => service.process.output.includes({ ...canaries, key }[place]))).toEqual([]);
  // What was said is there: nothing is encrypted, so that this look can find something.
  expect(await readableIn('canary-keys', { ...canaries, key })).toEqual(['text']);
});

test('with tokens nothing is printed, and no part of a token is in Redis', async () => {
  const canaries = newCanaries();
  await using issuer = await Issuer.start();
  const token = await issuer.token('alice');
  await using service = await spawnService({ ...environment('canary-jwt'), ...issuer.env });
  const seen = await callAll(service.url, token, { ...canaries, key: token });
  for (const status of [200, 201, 400, 401, 404]) expect(seen, `no ${status}`).toContain(status);
  const client = redis.client();
  const contents = await everythingIn(client, 'canary-jwt*');
  client.disconnect();
  for (const part of token.split('.')) {
    expect(service.process.output).not.toContain(part);
    expect(contents.includes(part)).toBe(false);
  }
  expect(PLACES.filter((place) => service.process.output.includes(canaries[place]))).toEqual([]);
  expect(await readableIn('canary-jwt', canaries)).toEqual(['text']);
});
