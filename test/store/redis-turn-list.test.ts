// The ledger in Redis where its order alone is not enough: turns that have the same place.

import { Redis } from 'ioredis';
import { afterAll, expect, inject, it } from 'vitest';
import { sessionKeys } from '../../src/adapters/redis/keys.ts';
import { configOf, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { aKey, aSession, commitTurn, plain } from './builders.ts';

const client = new Redis(inject('redisUrl'));
afterAll(() => client.disconnect());

// The clock of Redis can be set back: then all who come to a line while one turn runs have the same place.
it.each([1, 2, 3, 7])('turns with the same place come once each, in pages of %i', async (pageSize) => {
  const prefix = uniquePrefix();
  const store = await openRedisStore(configOf(inject('redisUrl'), prefix));
  const key = aKey();
  await store.create(key, aSession());
  const turnIds: string[] = [];
  for (let i = 0; i < 9; i += 1) turnIds.push((await commitTurn(store, key)).turnId);
  const { ledger } = sessionKeys(prefix, key);
  const place = await client.zscore(ledger, turnIds[5] ?? '');
  for (const turnId of turnIds.slice(2, 7)) await client.zadd(ledger, `${place}.5`, turnId);
  const walked: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.listTurns(key, pageSize, pageToken);
    walked.push(...page.items.map(({ record }) => plain(record)));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  const tied = turnIds.slice(2, 7).toSorted();
  const oldestFirst = [...turnIds.slice(0, 2), ...tied, ...turnIds.slice(7)];
  expect(walked).toEqual(oldestFirst.toReversed().map((id) => `ended ${id}`));
  await store.close();
  expect(await sweep(client, prefix)).toEqual([]);
});
