// Sessions that are in a store and that nobody uses, as the service would have made them. Put there without it, which would
// take minutes.

import { randomBytes } from 'node:crypto';
import { encodeConfig, encodeMessage } from '../../src/chat/records.ts';
import { aSession } from '../../test/store/builders.ts';
import type { RedisServer } from '../../test/support/redis-server.ts';
import { configOf, openRedisStore } from '../../test/support/redis-stores.ts';

/** Whose sessions they are without identities, and where: both are the service's own words. */
const OWNER = 'anyone';
const PREFIX = 'csp';
const TTL_S = 604_800;
const AT_ONCE = 200;

export async function storeSessions(redis: RedisServer, count: number, texts: readonly string[]): Promise<void> {
  const store = await openRedisStore(configOf(redis.url, PREFIX, 30_000));
  const createTime = new Date().toISOString();
  const config = encodeConfig({ model: 'bench' });
  const messages = texts.map((content, at) => {
    const author = at % 2 === 0 ? 'user' : 'bot';
    return encodeMessage({ id: newId(), author, content, parts: [{ text: content }], createTime });
  });
  try {
    for (let made = 0; made < count; made += AT_ONCE) {
      const keys = Array.from({ length: Math.min(AT_ONCE, count - made) }, () => ({
        owner: OWNER,
        sessionId: newId(),
      }));
      await Promise.all(keys.map((key) => store.create(key, aSession({ config, messages, ttlS: TTL_S }))));
    }
  } finally {
    await store.close();
  }
}

/** As long as the service's own. */
function newId(): string {
  return randomBytes(18).toString('base64url');
}
