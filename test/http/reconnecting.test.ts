// Viewers that are cut and come back, as EventSource does, wherever the cut is; and what watching costs.

import fc from 'fast-check';
import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';
import type { EventStream } from '../support/client.ts';
import { idOf, RawEvents } from '../support/raw-events.ts';
import { ReconnectingClient } from '../support/reconnecting-client.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { asStream, event, said } from '../support/upstream.ts';

/** A model that says one word each time it is asked to by the test. */
function startTalking(options: Parameters<typeof startReplicas>[1] = {}) {
  const replies: { say: (text: string) => void; end: () => void }[] = [];
  const started = startReplicas((response) => {
    asStream(response).flushHeaders();
    replies.push({
      say: (text) => response.write(event(said(text))),
      end: () => response.end(event(said('', 'STOP'))),
    });
  }, options);
  return { started, replies };
}

async function talking(options: Parameters<typeof startReplicas>[1] = {}) {
  const { started, replies } = startTalking(options);
  const replicas = await started;
  const path = await replicas.here.session();
  const stream = replicas.here.stream(path, { message: 'hello', turnId: 'it' });
  await until('the model is asked', () => replies.length > 0);
  const { say, end } = replies[0] as (typeof replies)[number];
  const address = `${path}/turns/it/events`;
  return {
    replicas,
    path,
    replies,
    stream,
    say,
    end,
    urls: [replicas.here.url + address, replicas.there.url + address] as const,
  };
}

const wordsOf = (count: number) => Array.from({ length: count }, (_, index) => `word${index} `);

/** Its text, its ids: nothing twice, nothing missing, in order. */
function expectWhole(client: ReconnectingClient, whole: EventStream): void {
  expect(client.events.map(({ id, type, data }) => ({ id, event: type, data }))).toEqual(whole.events);
}

test.each([
  ['every event', 1],
  ['every third event', 3],
])('an EventSource that is cut at %s sees every delta exactly once, on replicas in turns', async (_what, cutAfter) => {
  const { replicas, stream, say, end, urls } = await talking();
  await using _ = replicas;
  const urlOf = (connection: number) => urls[connection % 2] as string;
  const client = new ReconnectingClient({ urlOf, cutAfter });
  for (const word of wordsOf(20)) {
    say(word);
    await until('the word has come', () => client.text.endsWith(word));
  }
  end();
  await client.done();
  expect(client.ending).toBe(204);
  expect(client.connections).toBeGreaterThan(Math.floor(20 / cutAfter));
  expect(new Set(client.statuses)).toEqual(new Set([200, 204]));
  expectWhole(client, await stream.done());
});

test('an EventSource that is not cut ends by itself after the turn', async () => {
  const { replicas, stream, say, end, urls } = await talking();
  await using _ = replicas;
  const client = new ReconnectingClient({ urlOf: () => urls[1] });
  say('all');
  end();
  await client.done();
  expect(client.statuses).toEqual([200, 204]);
  expectWhole(client, await stream.done());
});

test('a stream cut after any byte goes on to the same bytes, from either replica to either replica', async () => {
  const { replicas, stream, say, end, urls } = await talking();
  await using _ = replicas;
  for (const word of wordsOf(30)) say(`${word}\u2028 ä 😀\n`);
  end();
  await stream.done();
  const whole = (await new RawEvents(urls[0]).done()).frames.join('');
  const size = Buffer.byteLength(whole);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(size), { maxLength: 6 }), fc.boolean(), async (cuts, isFirst) => {
      let read = '';
      for (const [round, cut] of [...cuts.sort((a, b) => a - b), size].entries()) {
        const last = idOf(read.split('\n\n').at(-2) ?? '');
        const url = urls[(round + Number(isFirst)) % 2] as string;
        const events = await new RawEvents(url, last === '' ? {} : { headers: { 'last-event-id': last } }).done();
        if (events.status === 204) break;
        for (const frame of events.frames) {
          // A client forgets the half event before the cut.
          if (Buffer.byteLength(read + frame) > cut) break;
          read += frame;
        }
      }
      expect(read).toBe(whole);
    }),
    { numRuns: 60 },
  );
});

test('viewers of one turn on one replica share one subscription, and the last one takes it back', async () => {
  const { replicas, stream, say, end, urls } = await talking();
  await using _ = replicas;
  const redis = new Redis(inject('redisUrl'));
  const channelsOf = async () => {
    const channels = (await redis.call('PUBSUB', 'SHARDCHANNELS', `${replicas.prefix}:*:meta`)) as string[];
    const counts = (await redis.call('PUBSUB', 'SHARDNUMSUB', ...channels)) as (string | number)[];
    return channels.map((channel) => counts[counts.indexOf(channel) + 1]);
  };
  try {
    expect(await channelsOf()).toEqual([]);
    const viewers = Array.from({ length: 20 }, () => new RawEvents(urls[1]));
    await Promise.all(viewers.map((viewer) => viewer.until('it is open', ({ status }) => status === 200)));
    expect(await channelsOf()).toEqual([1]);
    say('to all ');
    await Promise.all(viewers.map((viewer) => viewer.until('it has come', ({ text }) => text.includes('to all '))));
    for (const viewer of viewers.slice(1)) viewer.hangUp();
    say('to one');
    await viewers[0]?.until('it has come', ({ text }) => text.includes('to one'));
    expect(await channelsOf()).toEqual([1]);
    viewers[0]?.hangUp();
    await until('the subscription is gone', async () => (await channelsOf()).length === 0);
    end();
    await stream.done();
  } finally {
    redis.disconnect();
  }
});

test('a viewer who comes while Redis is away is refused, and leaves no subscription behind', {
  timeout: 60_000,
}, async () => {
  const server = await RedisServer.start();
  try {
    const { replicas, say, end, urls, stream } = await talking({ redisUrl: server.url });
    await using _ = replicas;
    say('word ');
    await stream.until('the first word', () => stream.answer() !== '');
    await server.kill();
    const refused = await new RawEvents(urls[1]).done();
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([503, 'store_unavailable']);
    await server.start();
    await until('the replica is ready', async () => (await replicas.there.get('/readyz')).status === 200);
    const redis = server.client();
    await until('both replicas hear again', async () => {
      return ((await redis.call('PUBSUB', 'SHARDCHANNELS', `${replicas.prefix}:replica:*`)) as string[]).length === 2;
    });
    expect(await redis.call('PUBSUB', 'SHARDCHANNELS', '*:meta')).toEqual([]);
    redis.disconnect();
    end();
    await stream.done();
  } finally {
    await server.stop();
  }
});

test('a viewer elsewhere goes on when Redis is killed and comes back, and loses nothing', {
  timeout: 60_000,
}, async () => {
  const server = await RedisServer.start();
  try {
    const { replicas, stream, say, end, urls } = await talking({ redisUrl: server.url });
    await using _ = replicas;
    const client = new ReconnectingClient({ urlOf: () => urls[1], retryMs: 100 });
    say('before ');
    await until('the first word has come', () => client.text === 'before ');
    await server.kill();
    say('meanwhile ');
    await stream.until('the local viewer hears on', () => stream.answer().endsWith('meanwhile '));
    await server.start();
    await until('the viewer elsewhere has it, too', () => client.text === 'before meanwhile ', { deadlineMs: 20_000 });
    say('after');
    end();
    await client.done();
    expect(client.ending).toBe(204);
    expectWhole(client, await stream.done());
    expect(stream.terminal?.event).toBe('turn.committed');
  } finally {
    await server.stop();
  }
});

test('a viewer elsewhere goes on when the connections of subscribers are killed', async () => {
  const server = await RedisServer.start();
  try {
    const { replicas, stream, say, end, urls } = await talking({ redisUrl: server.url });
    await using _ = replicas;
    const far = new RawEvents(urls[1]);
    say('before ');
    await far.until('the first word has come', ({ text }) => text.includes('before '));
    const redis = server.client();
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    redis.disconnect();
    say('after ');
    await far.until('the next word has come', ({ text }) => text.includes('after '));
    end();
    const { frames } = await far.done();
    expect(frames.map(idOf)).toEqual((await stream.done()).events.map(({ id }) => id));
  } finally {
    await server.stop();
  }
});

test('a log lives for as long as it is configured to, and no longer', async () => {
  const { replicas, stream, say, end, urls } = await talking({ env: { LOG_TTL_MS: '1000' } });
  await using _ = replicas;
  say('short');
  end();
  await stream.done();
  expect((await new RawEvents(urls[1]).done()).status).toBe(200);
  const gone = await until('the log is gone', async () => {
    const events = await new RawEvents(urls[1]).done();
    return events.status === 200 ? undefined : events;
  });
  expect([gone.status, JSON.parse(gone.text).code]).toEqual([410, 'log_expired']);
});

test('a replica that is shut down lets its viewers of foreign turns go at once, and they go on elsewhere', async () => {
  const { replicas, stream, say, end, urls, replies } = await talking({ env: { DRAIN_MS: '10000' } });
  await using scene: Replicas = replicas;
  const client = new ReconnectingClient({ urlOf: (connection) => (connection === 0 ? urls[1] : urls[0]) });
  say('here ');
  await until('the first word has come', () => client.text === 'here ');
  // A turn of its own holds the replica open.
  const own = scene.there.stream(await scene.there.session(), { message: 'wait' });
  await until('the model is asked', () => replies.length === 2);
  replies[1]?.say('its own ');
  await own.until('the first word', () => own.answer() === 'its own ');
  const closed = scene.services[1].close();
  await until('it goes on elsewhere', () => client.connections === 2);
  say('there');
  end();
  await client.done();
  expectWhole(client, await stream.done());
  expect(own.ending).toBeUndefined();
  replies[1]?.end();
  await closed;
  expect((await own.done()).terminal?.event).toBe('turn.committed');
});
