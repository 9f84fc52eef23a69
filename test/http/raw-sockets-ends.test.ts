// Connections that end early, on one side or on both, requests in a row, and clients that ask before they send.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { BareConnection, bareExchange, bareRequest } from '../support/sse.ts';
import { until } from '../support/until.ts';

let scene: ServiceScene;
beforeAll(async () => {
  scene = await startScene({ BODY_LIMIT_BYTES: '100000' });
});
afterAll(async () => {
  expect(Math.max(...scene.service.logged().map(({ level }) => level))).toBe(30);
  await scene[Symbol.asyncDispose]();
});

const HEAD = 'POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const ids = async () => (await scene.client.get('/v1/sessions')).json.sessions.map(({ id }: { id: string }) => id);
const openSockets = () =>
  new Promise<number>((resolve, reject) => {
    scene.service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

/** Says this, and that nothing else will come; reads on. */
async function sayAndClose(bytes: string): Promise<string> {
  const connection = new BareConnection(scene.service.url, { allowHalfOpen: true });
  await connection.write(bytes);
  connection.socket.end();
  await connection.ended();
  connection.hangUp();
  return connection.text;
}

describe('a client that closes its half', () => {
  test.each([
    ['in the middle of its headers', 'GET /livez HTTP/1.1\r\nHost: x\r\nX-'],
    ['after half of its body', `${HEAD}Content-Length: 20\r\n\r\n{"id":"half"`],
    ['within a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n20\r\n{"id":"half"`],
    ['before the last chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nd\r\n{"id":"half"}\r\n`],
    ['before the end of its trailers', `${HEAD}Transfer-Encoding: chunked\r\n\r\nd\r\n{"id":"half"}\r\n0\r\nX: y\r\n`],
  ])('%s is refused once, and nothing has happened', async (_when, bytes) => {
    expect(statusesIn(await sayAndClose(bytes))).toEqual([400]);
    expect(await ids()).toEqual([]);
    await until('its socket is gone', async () => (await openSockets()) === 0);
  });

  test('before anything is answered has left: its turn goes on, as with every connection that ends', async () => {
    const path = await scene.client.session({});
    const body = { message: '[[delay:300]] hello', turnId: 'it' };
    expect(await sayAndClose(bareRequest(`${path}/messages`, body))).toBe('');
    await until('its turn commits', async () => {
      return (await scene.client.get(`${path}/turns/it`)).json.state === 'COMMITTED';
    });
    await scene.client.delete(path);
  });

  test('has left for onDisconnect: cancel, too: it looks like one that is gone', async () => {
    const path = await scene.client.session({});
    const body = { message: '[[slow:200]] [[chunks:50]] hello', turnId: 'it', onDisconnect: 'cancel' };
    await sayAndClose(bareRequest(`${path}/messages/stream`, body));
    await until('its turn is cancelled', async () => {
      return (await scene.client.get(`${path}/turns/it`)).json.state === 'CANCELLED';
    });
    await scene.client.delete(path);
  });
});

test('a client that is cut off in the middle of its body leaves nothing behind', async () => {
  const connection = new BareConnection(scene.service.url);
  await connection.write(`${HEAD}Content-Length: 20\r\n\r\n{"id":"half"`);
  await until('it is connected', async () => (await openSockets()) === 1);
  connection.socket.resetAndDestroy();
  await until('its socket is gone', async () => (await openSockets()) === 0);
  expect(await ids()).toEqual([]);
});

test('requests in a row are answered in their order, each once, also when the first one takes longest', async () => {
  const path = await scene.client.session({});
  const slow = bareRequest(`${path}/messages`, { message: '[[delay:200]] hello', turnId: 'it' });
  const create = bareRequest('/v1/sessions', { id: 'second' });
  const last = 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const text = await bareExchange(scene.service.url, slow + create + last);
  expect(statusesIn(text)).toEqual([200, 201, 200]);
  const places = ['"turnId":"it"', '"id":"second"', '{"status":"ok"}'].map((word) => text.indexOf(word));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places[0]).toBeGreaterThan(0);
  for (const id of await ids()) await scene.client.delete(`/v1/sessions/${id}`);
});

describe('a client that asks before it sends its body', () => {
  const EXPECTING = `${HEAD}Expect: 100-continue\r\n`;

  test('is told to go on, and answered', async () => {
    const connection = new BareConnection(scene.service.url);
    await connection.write(`${EXPECTING}Connection: close\r\nContent-Length: 16\r\n\r\n`);
    await connection.until('it may go on', ({ text }) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    await connection.write('{"id":"awaited"}');
    await connection.ended();
    expect(statusesIn(connection.text)).toEqual([100, 201]);
    await scene.client.delete('/v1/sessions/awaited');
  });

  test.each<[string, string, number]>([
    ['a body that is too large', `${EXPECTING}Content-Length: 200000\r\n\r\n`, 413],
    ['what cannot be answered as it wants', `${EXPECTING}Accept: text/html\r\nContent-Length: 2\r\n\r\n`, 406],
    ['a compressed body', `${EXPECTING}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n`, 415],
  ])('for %s is refused without it at once, and the connection ends', async (_what, bytes, status) => {
    const startedAt = performance.now();
    for (let i = 0; i < 6; i += 1) {
      const text = await bareExchange(scene.service.url, bytes);
      expect(statusesIn(text)).toEqual([status]);
      expect(text.toLowerCase()).toContain('connection: close');
    }
    // Each would wait two seconds for a body that does not come.
    expect(performance.now() - startedAt).toBeLessThan(6000);
  });

  test('and sends it all the same is refused once, and its body is no request', async () => {
    const body = bareRequest('/v1/sessions', { id: 'smuggled' });
    const text = await bareExchange(scene.service.url, `${EXPECTING}Content-Length: 200000\r\n\r\n${body}`);
    expect(statusesIn(text)).toEqual([413]);
    expect(await ids()).toEqual([]);
  });
});
