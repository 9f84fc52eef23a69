// Behind a real nginx with deploy/nginx.conf: streams are streams, whoever comes back goes on wherever it lands, and
// replicas may go.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client, type EventStream, type StreamEvent } from '../support/client.ts';
import { PageEvents } from '../support/event-source.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { type GatewayScene, startGatewayScene, type Talk } from '../support/gateway-scene.ts';
import { ReconnectingClient, type SeenEvent } from '../support/reconnecting-client.ts';
import { until } from '../support/until.ts';

let scene: GatewayScene;
beforeEach(async () => {
  scene = await startGatewayScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

interface Started {
  readonly path: string;
  /** Of the turn's events, as the gateway has it. */
  readonly events: string;
  readonly stream: EventStream;
  readonly talk: Talk;
}

async function start(name: string, body: object = {}, client = scene.client): Promise<Started> {
  const path = await client.session();
  const stream = client.stream(path, { message: `[talk:${name}]`, turnId: name, ...body });
  const talk = await scene.talk(name);
  return { path, events: `${path}/turns/${name}/events`, stream, talk };
}

/** Everything, in order, nothing twice: what a viewer that never was cut is told. */
/** As the first replica tells it: the gateway may still lead to one that is being closed, which ends its streams. */
async function wholeOf({ events }: Started): Promise<readonly StreamEvent[]> {
  return (await new Client(scene.replicas[0].url).events(events).done()).events;
}

const told = (events: readonly SeenEvent[]) => events.map(({ id, type, data }) => ({ id, event: type, data }));

test('deltas and heartbeats come when they are said, to the sender, to viewers, and to who follows the session', async () => {
  const { client } = scene;
  const { path, events, stream, talk } = await start('it');
  const compressing = { 'accept-encoding': 'gzip' };
  const viewers = [stream, client.events(events, compressing), client.events(events), client.events(`${path}/events`)];
  for (const word of ['one ', 'two ', 'three ']) {
    talk.say(word);
    for (const viewer of viewers) await viewer.until(word, () => viewer.answer().endsWith(word));
    expect((await client.get(`${path}/turns/it`)).json.state).toBe('RUNNING');
  }
  const before = viewers.map(({ comments }) => comments.length);
  for (const [index, viewer] of viewers.entries()) {
    await viewer.until('two more heartbeats', ({ comments }) => comments.length >= (before[index] ?? 0) + 2);
  }
  for (const { response } of viewers) {
    expect(response?.headers).toMatchObject({ 'content-type': 'text/event-stream' });
    expect(response?.headers).not.toHaveProperty('content-encoding');
  }
  talk.end();
  for (const viewer of viewers) await viewer.until('the end', ({ terminal }) => terminal !== undefined);
  expect(await client.history(path)).toEqual([
    ['user', '[talk:it]'],
    ['bot', 'one two three '],
  ]);
  // The next turn comes to who follows, wherever it is produced.
  const next = client.stream(path, { message: '[talk:next]' });
  const again = await scene.talk('next');
  again.say('four');
  again.end();
  await next.done();
  await viewers[3]?.until(
    'the next end',
    ({ types }) => types.filter((type) => type === 'turn.committed').length === 2,
  );
  viewers[3]?.hangUp();
});

test('an EventSource that is cut every second is told every delta exactly once, by both replicas', {
  timeout: 40_000,
}, async () => {
  const started = await start('long');
  const { path, events, talk } = started;
  const network = await FaultProxy.start({ host: '127.0.0.1', port: scene.nginx.port });
  const page = new PageEvents(`http://${network.address}${events}`);
  const plain = new ReconnectingClient({ urlOf: () => scene.nginx.url + events, retryMs: 50 });
  const cutting = setInterval(() => {
    network.resetAll();
    plain.cut();
  }, 1000);
  let words = 0;
  const talking = setInterval(() => {
    words += 1;
    talk.say(`word${words} `);
  }, 40);
  try {
    await until('it was cut some times', () => page.opened >= 6 && plain.connections >= 6, { deadlineMs: 20_000 });
  } finally {
    clearInterval(talking);
    clearInterval(cutting);
  }
  talk.end();
  await page.done();
  await plain.done();
  await network.stop();
  const whole = await wholeOf(started);
  expect(whole.filter(({ event }) => event === 'candidate.delta').length).toBe(words);
  expect(told(page.events)).toEqual(whole);
  expect(told(plain.events)).toEqual(whole);
  expect(page.terminal?.type).toBe('turn.committed');
  expect(await scene.client.history(path)).toEqual([
    ['user', '[talk:long]'],
    ['bot', page.text],
  ]);
  const parts = (await scene.nginx.exchanges()).filter(
    (exchange) => exchange.path === events && exchange.status === 200,
  );
  for (const { url } of scene.replicas) {
    expect(parts.filter(({ to }) => to.includes(new URL(url).host)).length).toBeGreaterThan(2);
  }
});

test.each([
  ['after the first words', {}, 'said '],
  ['before the first word', {}, undefined],
  ['before the headers', { message: '[talk:it] [silent]' }, undefined],
])('who leaves a stream with onDisconnect: cancel %s cancels its turn within a second', async (_when, body, word) => {
  const { path, stream, talk } = await start('it', { onDisconnect: 'cancel', ...body });
  if (word !== undefined) {
    talk.say(word);
    await stream.until('the word', () => stream.answer() === word);
  }
  const leftAt = performance.now();
  stream.hangUp();
  await talk.call.aborted;
  expect(performance.now() - leftAt).toBeLessThan(1000);
  const state = async () => (await scene.client.get(`${path}/turns/it`)).json.state;
  await until('the turn is cancelled', async () => (await state()) === 'CANCELLED');
  expect(await scene.client.history(path)).toEqual([]);
});

test('a viewer that leaves cancels nothing, also when the turn was started with onDisconnect: cancel', async () => {
  const { events, stream, talk } = await start('it', { onDisconnect: 'cancel' });
  const viewers = [scene.client.events(events), scene.client.events(events)];
  talk.say('said ');
  for (const viewer of viewers) await viewer.until('the word', () => viewer.answer() !== '');
  for (const viewer of viewers) viewer.hangUp();
  talk.say('on');
  await stream.until('the next word', () => stream.answer() === 'said on');
  talk.end();
  expect((await stream.done()).terminal?.event).toBe('turn.committed');
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  '%s to a replica that others watch through: all go on through the other',
  async (signal) => {
    const [producer, other] = scene.replicas;
    const started = await start('it', {}, new Client(producer.url));
    const { talk, events, path } = started;
    // Holds the replica that is told to end, so that it is still there, and refuses, when its viewers come back.
    const own = await start('own', {}, new Client(other.url));
    own.talk.say('held');
    talk.say('before ');
    const pages = Array.from({ length: 6 }, () => new PageEvents(scene.nginx.url + events));
    for (const page of pages) await until('it has the first word', () => page.text === 'before ');
    other.process.signal(signal);
    await until('half of them have come back', () => pages.filter(({ opened }) => opened === 2).length === 3);
    const late = Array.from({ length: 4 }, () => new PageEvents(scene.nginx.url + events));
    for (const word of ['and ', 'after']) {
      talk.say(word);
      for (const page of [...pages, ...late]) await until('it has the word', () => page.text.endsWith(word));
    }
    talk.end();
    const whole = await wholeOf(started);
    for (const page of [...pages, ...late]) expect(told((await page.done()).events)).toEqual(whole);
    expect((await scene.client.history(path)).at(-1)).toEqual(['bot', 'before and after']);
  },
);

test('a replica that is killed under its senders: no question reaches the model twice', async () => {
  const [, killed] = scene.replicas;
  const turns = await Promise.all(Array.from({ length: 8 }, (_, i) => start(`q${i}`)));
  for (const { talk } of turns) talk.say('begun ');
  for (const { stream } of turns) await stream.until('the first word', () => stream.answer() !== '');
  killed.process.signal('SIGKILL');
  await until(
    'half of the streams are cut',
    () => turns.filter(({ stream }) => stream.ending !== undefined).length === 4,
  );
  for (const { talk } of turns) talk.end();
  for (const { stream } of turns) await stream.done();
  const ends = turns.map(({ stream }) => stream.terminal?.event);
  expect(ends.filter((event) => event === 'turn.committed').length).toBe(4);
  expect(ends.filter((event) => event === undefined).length).toBe(4);
  expect(scene.upstream.calls.length).toBe(8);
  // The one that is left takes everything that comes.
  const later = await Promise.all(Array.from({ length: 6 }, (_, i) => start(`later${i}`)));
  for (const { talk } of later) talk.end();
  await Promise.all(later.map(({ stream }) => stream.done()));
  expect(scene.upstream.calls.length).toBe(14);
});
