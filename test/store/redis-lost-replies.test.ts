// A reply that is lost after its command was executed: the connection is made anew, the command is sent again, and
// nothing has happened twice. A proxy in front of Redis swallows the reply and cuts the connection.

import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { sessionListKey } from '../../src/adapters/redis/keys.ts';
import type { RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import { SCRIPTS } from '../../src/adapters/redis/scripts.ts';
import { ChatError } from '../../src/chat/errors.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { configOf, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import {
  aBatch,
  aChange,
  aChoice,
  aKey,
  anEnding,
  anImport,
  aReap,
  aRewind,
  aSession,
  aTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  historyOf,
  isGone,
  logOf,
  outcomesAtTheLimit,
  plain,
} from './builders.ts';

describe('on a bad way to Redis', () => {
  const redisUrl = new URL(inject('redisUrl'));
  let client: Redis;
  let proxy: FaultProxy;
  let prefix: string;
  /** Its way to Redis leads through the proxy. */
  let store: RedisSessionStore;
  let direct: RedisSessionStore;

  beforeEach(async () => {
    prefix = uniquePrefix();
    client = new Redis(redisUrl.href);
    proxy = await FaultProxy.start({ host: redisUrl.hostname, port: Number(redisUrl.port || 6379) });
    const proxied = new URL(redisUrl);
    proxied.hostname = '127.0.0.1';
    proxied.port = String(proxy.port);
    direct = await openRedisStore(configOf(redisUrl.href, prefix));
    store = await openRedisStore(configOf(proxied.href, prefix));
    // A script that Redis does not know is refused first: then it would be the refusal that is lost.
    for (const { lua } of Object.values(SCRIPTS)) await client.script('LOAD', lua);
  });

  afterEach(async () => {
    await Promise.all([store.close(), direct.close()]);
    await proxy.stop();
    expect(await sweep(client, prefix)).toEqual([]);
    client.disconnect();
  });

  /** Does the call while the reply to its script gets lost, and waits until both have happened. */
  async function losing<T>(script: keyof typeof SCRIPTS, call: () => Promise<T>): Promise<T> {
    const lost = proxy.loseReplyTo(SCRIPTS[script].sha);
    const answer = await call();
    await lost;
    return answer;
  }

  describe('when a reply is lost', () => {
    it('create makes one session and answers it', async () => {
      const key = aKey();
      const created = await losing('create', () => store.create(key, aSession({ messages: [bytes('a'), bytes('b')] })));
      expect(created).toEqual(await direct.read(key));
      expect(await historyOf(direct, key)).toEqual(['a', 'b']);
    });

    it('update applies once', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const updated = await losing('update', () => store.update(key, aChange(1, { config: bytes('once') })));
      expect(updated.version).toBe(2);
      expect(await direct.read(key)).toEqual(updated);
    });

    it('rewind removes once', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      await commitTurn(direct, key);
      const removing = losing('rewind', () => store.rewind(key, aRewind(0, 2)));
      expect(await removing).toMatchObject({ version: 3, messageCount: 0 });
      const turn = await commitTurn(direct, key);
      expect(await historyOf(direct, key)).toEqual([`question of ${turn.turnId}`, `answer of ${turn.turnId}`]);
    });

    it('choose replaces once, and its bytes are counted once', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const { turnId } = await commitTurn(direct, key, { fullRecord: bytes('all') });
      const choosing = losing('choose', () => store.choose(key, aChoice(turnId, 2)));
      expect(await choosing).toMatchObject({ version: 3, messageCount: 2 });
      expect(await historyOf(direct, key)).toEqual([`question of ${turnId}`, `other answer of ${turnId}`]);
      expect(plain((await direct.readTurn(key, turnId)).record)).toBe(`all of ${turnId}, other chosen`);
      expect(await outcomesAtTheLimit(direct, key)).toEqual(['history_full', 'begun']);
    });

    it.each([false, true])('import appends once, and its bytes are counted once; with a key: %s', async (isKeyed) => {
      const key = aKey();
      await direct.create(key, aSession());
      const keyed = isKeyed ? { idempotency: { key: 'k', fingerprint: 'f', ttlMs: 60_000 } } : {};
      const importing = losing('importMessages', () => store.importMessages(key, anImport(['a', 'b'], 1, keyed)));
      expect(await importing).toMatchObject({ version: 2, messageCount: 2 });
      expect(await historyOf(direct, key)).toEqual(['a', 'b']);
      expect(await outcomesAtTheLimit(direct, key)).toEqual(['history_full', 'begun']);
    });

    it('a change is made once also when others are made before it is sent again', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const lost = proxy.loseReplyTo(SCRIPTS.importMessages.sha);
      const resent = lost.then(() =>
        proxy.doBefore(SCRIPTS.importMessages.sha, async () => {
          await direct.importMessages(key, anImport(['b'], 2));
          await direct.update(key, aChange(3));
          await commitTurn(direct, key);
        }),
      );
      expect(await store.importMessages(key, anImport(['a'], 1))).toMatchObject({ version: 5, messageCount: 4 });
      await resent;
      expect((await historyOf(direct, key)).slice(0, 2)).toEqual(['a', 'b']);
    });

    it('finish of a turn that replaces replaces once, also when the next one has committed before it was sent again', async () => {
      const key = aKey();
      await direct.create(key, aSession({ messages: [bytes('hello')] }));
      const old = await commitTurn(direct, key);
      const turn = await begin(direct, key, { again: { turnId: old.turnId, isReplaced: true } });
      const ending = anEnding(turn, { replacedTurnId: old.turnId });
      const lost = proxy.loseReplyTo(SCRIPTS.finish.sha);
      const resent = lost.then(() =>
        proxy.doBefore(SCRIPTS.finish.sha, async () => void (await commitTurn(direct, key, { turnId: 'next' }))),
      );
      expect(await store.finish(key, ending)).toEqual({ outcome: 'finished', version: 3 });
      await resent;
      const expected = ['hello', `question of ${turn.turnId}`, `answer of ${turn.turnId}`];
      expect(await historyOf(direct, key)).toEqual([...expected, 'question of next', 'answer of next']);
      expect(await outcomesAtTheLimit(direct, key)).toEqual(['history_full', 'begun']);
    });

    it('begin of a turn that replaces begins one, which sees the history without what it replaces', async () => {
      const key = aKey();
      await direct.create(key, aSession({ messages: [bytes('hello')] }));
      const { turnId } = await commitTurn(direct, key);
      const turn = aTurn({ again: { turnId, isReplaced: true } });
      const begun = await losing('begin', () => store.begin(key, turn));
      expect(begun.outcome === 'begun' && begun.history?.map(plain)).toEqual(['hello']);
      expect((await direct.read(key)).running?.turnId).toBe(turn.turnId);
    });

    it('begin begins one turn, and its producer learns of it', async () => {
      const key = aKey();
      await direct.create(key, aSession({ messages: [bytes('a')] }));
      const turn = aTurn();
      const begun = await losing('begin', () => store.begin(key, turn));
      const { running } = await direct.read(key);
      expect(begun).toMatchObject({ outcome: 'begun', epoch: running?.epoch, version: 1 });
      expect(begun.outcome === 'begun' && begun.history?.map(plain)).toEqual(['a']);
      expect(running?.turnId).toBe(turn.turnId);
    });

    it('append adds its frames once', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const { epoch } = await begin(direct, key);
      expect(await losing('append', () => store.append(key, epoch, aBatch(0, 2)))).toEqual({ outcome: 'appended' });
      expect(await store.append(key, epoch, aBatch(2, 3))).toEqual({ outcome: 'appended' });
      expect(await logOf(direct, key, epoch)).toBe('<0..2><2..3>');
    });

    it('finish commits once and answers the version', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const turn = await begin(direct, key);
      const usage = { promptTokens: 1, outputTokens: 2, totalTokens: 3 };
      const finished = await losing('finish', () => store.finish(key, anEnding(turn, { usage })));
      expect(finished).toEqual({ outcome: 'finished', version: 2 });
      expect(await direct.read(key)).toMatchObject({ version: 2, messageCount: 2, usage });
      expect(await historyOf(direct, key)).toHaveLength(2);
      expect(await logOf(direct, key, turn.epoch)).toBe('<0..1>');
    });

    it('finish answers its version also when another turn has committed before it was sent again', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const turn = await begin(direct, key);
      const lost = proxy.loseReplyTo(SCRIPTS.finish.sha);
      const resent = lost.then(() =>
        proxy.doBefore(SCRIPTS.finish.sha, async () => void (await commitTurn(direct, key))),
      );
      expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'finished', version: 2 });
      await resent;
      expect(await direct.read(key)).toMatchObject({ version: 3, messageCount: 4 });
    });

    it('renew and reap have happened once', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const turn = await beginDeadTurn(direct, key);
      expect(await losing('renew', () => store.renew(key, turn.epoch, 1))).toEqual({ outcome: 'renewed' });
      await losing('reap', async () => {
        while (!(await store.reap(key, aReap(turn))) && (await direct.read(key)).running)
          await new Promise(setImmediate);
      });
      expect((await direct.read(key)).running).toBeUndefined();
      expect(await logOf(direct, key, turn.epoch)).toBe('<producer lost>');
    });

    it('delete has deleted, whatever it could still tell', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const lost = proxy.loseReplyTo(SCRIPTS.delete.sha);
      await store.delete(key).catch((error: unknown) => {
        // The resend finds nothing any more: "fails the second time".
        if (!(error instanceof ChatError) || error.code !== 'session_not_found') throw error;
      });
      await lost;
      expect(await isGone(direct, key)).toBe(true);
      expect(await direct.list(key.owner, 10)).toEqual({ items: [] });
    });

    it('a read answers nevertheless', async () => {
      const key = aKey();
      await direct.create(key, aSession());
      const lost = proxy.loseReplyTo(SCRIPTS.read.sha);
      expect(await store.read(key)).toEqual(await direct.read(key));
      await lost;
    });
  });

  it('begin brings the history as it is when it has the session, although its script had to be loaded first', async () => {
    const key = aKey();
    await direct.create(key, aSession());
    await client.script('FLUSH');
    // The history has been read by now, the script comes a second time, and in between somebody else has a turn.
    const overtaken = proxy.doBefore('EVAL\r\n', async () => void (await commitTurn(direct, key, { turnId: 'other' })));
    const begun = await begin(store, key);
    await overtaken;
    expect(begun).toMatchObject({ version: 2, history: ['question of other', 'answer of other'] });
  });

  it('begin brings the answer that was chosen meanwhile, although the history is as long as it was', async () => {
    const key = aKey();
    await direct.create(key, aSession());
    const { turnId } = await commitTurn(direct, key);
    const message = bytes(`answer OF ${turnId}`);
    await client.script('FLUSH');
    const overtaken = proxy.doBefore('EVAL\r\n', async () => {
      await direct.choose(key, aChoice(turnId, 2, { message }));
    });
    const begun = await begin(store, key);
    await overtaken;
    expect(begun).toMatchObject({ version: 3, history: [`question of ${turnId}`, `answer OF ${turnId}`] });
  });

  it('news that are late in the list do not put a session behind those that it has overtaken since', async () => {
    const key = aKey();
    await direct.create(key, aSession());
    const other = { owner: key.owner, sessionId: 'other' };
    const late = proxy.doBefore(SCRIPTS.touch.sha, async () => {
      const { updateTimeMs } = await direct.read(key);
      await until('the clock has moved on', () => Date.now() > updateTimeMs + 1);
      const created = await direct.create(other, aSession());
      await until('the clock has moved on', () => Date.now() > created.updateTimeMs + 1);
      await direct.update(key, aChange(1));
    });
    await begin(store, key);
    await late;
    await store.close();
    const { items } = await direct.list(key.owner, 10);
    expect(items.map(({ sessionId }) => sessionId)).toEqual([key.sessionId, 'other']);
  });

  it('a deletion that is late in the list does not take the next session of the name from it', async () => {
    const key = aKey();
    const { updateTimeMs } = await direct.create(key, aSession());
    await until('the clock has moved on', () => Date.now() > updateTimeMs + 1);
    const list = sessionListKey(prefix, key.owner);
    const late = proxy.doBefore(list, async () => void (await direct.create(key, aSession())));
    await store.delete(key);
    await late;
    await store.close();
    expect((await direct.list(key.owner, 10)).items).toHaveLength(1);
  });
});
