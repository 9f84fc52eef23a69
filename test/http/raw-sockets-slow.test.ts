// Clients that take their time: thousands that never finish a request, and some that never read an answer. They are cut, and who
// comes from the same address is answered meanwhile.

import { afterEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { spawnService } from '../support/spawned-service.ts';
import { BareConnection, bareExchange, bareRequest, unreadGet } from '../support/sse.ts';
import { until } from '../support/until.ts';

const dripping: NodeJS.Timeout[] = [];
const connections: BareConnection[] = [];
afterEach(() => {
  for (const timer of dripping.splice(0)) clearInterval(timer);
  for (const connection of connections.splice(0)) connection.hangUp();
});

/** Opened one by one: a burst would be the system's to refuse. */
async function connectSlowly(url: string, count: number, head: string): Promise<readonly BareConnection[]> {
  for (let i = 0; i < count; i += 1) {
    const connection = new BareConnection(url);
    connections.push(connection);
    await connection.write(head);
  }
  return connections;
}

/** So often a few bytes more, as long as they are taken. */
function drip(bytes: string, everyMs: number): void {
  const timer = setInterval(() => {
    for (const { socket, ending } of connections) if (ending === undefined && socket.writable) socket.write(bytes);
  }, everyMs);
  dripping.push(timer);
}

function openSockets({ service }: ServiceScene): Promise<number> {
  return new Promise((resolve, reject) => {
    service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

test('two thousand clients whose headers never end are cut, and others of their address are answered all the while', {
  timeout: 60_000,
}, async () => {
  await using service = await spawnService({ HEADERS_TIMEOUT_MS: '3000', REQUEST_TIMEOUT_MS: '6000' });
  const client = new Client(service.url);
  const slow = await connectSlowly(service.url, 2000, 'GET /livez HTTP/1.1\r\nHost: x\r\n');
  drip('X-More: and more\r\n', 500);
  let answered = 0;
  while (slow.some(({ ending }) => ending === undefined)) {
    const path = await client.session({});
    expect((await client.post(`${path}/messages`, { message: 'Hi' })).json.state).toBe('COMMITTED');
    expect((await client.get('/livez')).status).toBe(200);
    answered += 1;
  }
  expect(answered).toBeGreaterThan(3);
  const told = slow.filter(({ text }) => text !== '');
  // Who has written in that moment may be cut before he reads why.
  expect(told.length).toBeGreaterThan(1000);
  for (const { text } of told) {
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*Connection: close[\s\S]*The request took too long to arrive/);
  }
  expect(slow.filter(({ text }) => text.includes(' 200 '))).toEqual([]);
});

test.each([
  ['a length', 'Content-Length: 5000\r\n\r\n{"id":"slow"', ' '],
  ['chunks', 'Transfer-Encoding: chunked\r\n\r\nc\r\n{"id":"slow"\r\n', '1\r\n \r\n'],
])('a body with %s that never ends is cut, and nothing of it acts', async (_what, head, bytes) => {
  await using scene = await startScene({ REQUEST_TIMEOUT_MS: '2000', HEADERS_TIMEOUT_MS: '1000' });
  const start = 'POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const slow = await connectSlowly(scene.service.url, 50, start + head);
  drip(bytes, 100);
  for (const connection of slow) await connection.ended(20_000);
  for (const { text } of slow.filter((connection) => connection.text !== '')) {
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*The request took too long to arrive/);
  }
  expect((await scene.client.get('/v1/sessions')).json.sessions).toEqual([]);
  await until('their sockets are gone', async () => (await openSockets(scene)) === 0);
});

test('a client that connects and says nothing is cut as well', async () => {
  await using scene = await startScene({ REQUEST_TIMEOUT_MS: '2000', HEADERS_TIMEOUT_MS: '1000' });
  const [silent] = await connectSlowly(scene.service.url, 1, '');
  await silent?.ended(20_000);
});

test('an answer that nobody reads is given up; one that is read slowly is not', { timeout: 40_000 }, async () => {
  await using scene = await startScene({ CLIENT_STALL_TIMEOUT_MS: '1000' });
  const { client, service } = scene;
  const megabytes = 8;
  const messageHistory = Array.from({ length: megabytes }, () => ({ author: 'bot', content: 'x'.repeat(1024 * 1024) }));
  const path = `${await client.session({ messageHistory })}/messages?pageSize=200`;
  const unread = unreadGet(service.url, path);
  connections.push(unread);
  const slow = unreadGet(service.url, path);
  connections.push(slow);
  const reading = setInterval(() => {
    slow.resume();
    setImmediate(() => slow.pause());
  }, 50);
  dripping.push(reading);
  await slow.ended(30_000);
  expect(slow.text).toMatch(/\]\}$/);
  expect(slow.bytes).toBeGreaterThan(megabytes * 1024 * 1024);
  await until('nobody keeps the other', async () => (await openSockets(scene)) === 0);
  expect(unread.bytes).toBeLessThan(megabytes * 1024 * 1024);
});

test('an answer that is long in coming is not taken for one that nobody reads', async () => {
  await using scene = await startScene({ CLIENT_STALL_TIMEOUT_MS: '200' });
  const path = await scene.client.session({});
  // In line behind another answer on its connection, which has armed the timer and disarmed it.
  const first = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
  const asked = bareRequest(`${path}/messages`, { message: '[[delay:1500]] hello' }, { Connection: 'close' });
  const text = await bareExchange(scene.service.url, first + asked);
  expect(text.match(/HTTP\/1\.1 200 /g)?.length).toBe(2);
  expect(text).toContain('"state":"COMMITTED"');
});
