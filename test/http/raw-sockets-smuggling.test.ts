// Bytes in which a second request may be hidden: it never acts, and nobody gets more answers than he has asked for.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { SHAPES, SMUGGLED } from '../support/smuggling-shapes.ts';
import { BareConnection, bareExchange } from '../support/sse.ts';

let scene: ServiceScene;
beforeAll(async () => {
  scene = await startScene({ BODY_LIMIT_BYTES: '100000' });
});
afterEach(async () => {
  for (const id of await sessions()) await scene.client.delete(`/v1/sessions/${id}`);
});
afterAll(() => scene[Symbol.asyncDispose]());

const exchange = (bytes: string) => bareExchange(scene.service.url, Buffer.from(bytes, 'latin1'));
const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const sessions = async () => (await scene.client.get('/v1/sessions')).json.sessions.map(({ id }: { id: string }) => id);

test.each(Object.entries(SHAPES))('%s: one refusal, then nothing', async (_what, bytes) => {
  const text = await exchange(bytes);
  expect(statusesIn(text)).toEqual([400]);
  expect(text.toLowerCase()).toContain('connection: close');
  expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'invalid_argument' });
  expect(await sessions()).toEqual([]);
});

describe('what is hidden in the body of', () => {
  const LAST = 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const bodyOf = (head: string) => `${head}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`;

  test.each<[string, string, readonly number[]]>([
    ['a read', bodyOf('GET /livez HTTP/1.1\r\nHost: x\r\n'), [200, 200]],
    ['a deletion', bodyOf('DELETE /v1/sessions/none HTTP/1.1\r\nHost: x\r\n'), [415, 200]],
    ['a path that is not there', bodyOf('POST /nothing HTTP/1.1\r\nHost: x\r\n'), [404, 200]],
    [
      'a refused media type',
      bodyOf('POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n'),
      [415, 200],
    ],
    [
      'a body that is no JSON',
      bodyOf('POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'),
      [400],
    ],
    [
      'a read with chunks',
      `GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
      [200, 200],
    ],
  ])(
    '%s stays there, and the next request is answered, unless the connection has ended',
    async (_what, bytes, statuses) => {
      expect(statusesIn(await exchange(bytes + LAST))).toEqual(statuses);
      expect(await sessions()).toEqual([]);
    },
  );

  test('a request that is refused by its length alone is not read as the next one', async () => {
    const head =
      'POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n';
    expect(statusesIn(await exchange(head + SMUGGLED))).toEqual([413]);
    expect(await sessions()).toEqual([]);
  });
});

test.each([
  ['what follows the last request', 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ['what follows an upgrade', 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'],
  ['a tunnel', 'CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n'],
])('%s is no request', async (_what, bytes) => {
  expect(statusesIn(await exchange(bytes + SMUGGLED)).length).toBe(1);
  expect(await sessions()).toEqual([]);
});

test('a connection on which an upgrade was asked for goes on as it was', async () => {
  const connection = new BareConnection(scene.service.url);
  for (const more of ['Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n', '', '']) {
    const before = statusesIn(connection.text).length;
    await connection.write(`GET /livez HTTP/1.1\r\nHost: x\r\n${more}\r\n`);
    await connection.until('it is answered', ({ text }) => statusesIn(text).length === before + 1);
  }
  expect(statusesIn(connection.text)).toEqual([200, 200, 200]);
  connection.hangUp();
});

test('trailers are no headers', async () => {
  const path = await scene.client.session({ id: 'kept' });
  const chunks = '0\r\nIf-Match: "1"\r\nX-Forwarded-User: root\r\n\r\n';
  const asked = `DELETE ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIf-Match: "7"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
  expect(statusesIn(await exchange(asked + chunks))).toEqual([412]);
});

describe('headers', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `${i.toString(36)}: b\r\n`).join('');

  test.each([10, 500, 900, 1100, 1997, 1999, 2001, 3000])(
    'beside %d others are heard, or the request is refused: none is dropped',
    async (count) => {
      const path = await scene.client.session({ id: 'kept' });
      const text = await exchange(
        `DELETE ${path} HTTP/1.1\r\nHost: x\r\n${lines(count)}If-Match: "7"\r\nConnection: close\r\n\r\n`,
      );
      // Without its condition the session would be deleted: 204.
      expect([412, 431]).toContain(statusesIn(text)[0]);
      expect((await scene.client.delete(path)).status).toBe(204);
    },
  );

  test('that come drop by drop until they are too large are refused like those that come at once', async () => {
    const connection = new BareConnection(scene.service.url);
    await connection.write('GET /livez HTTP/1.1\r\nHost: x\r\n');
    for (let written = 0; written < 40_000 && connection.ending === undefined; written += 1000) {
      await connection.write(`X-${written}: ${'x'.repeat(990)}\r\n`);
    }
    await connection.ended();
    expect(statusesIn(connection.text)).toEqual([431]);
    expect(connection.text).toContain('headers_too_large');
  });

  test.each([
    ['a URL beyond URL_LENGTH_MAX', 20_000, 414, 'uri_too_long'],
    ['a URL that is larger than all headers may be', 40_000, 431, 'headers_too_large'],
  ])('%s is refused', async (_what, length, status, code) => {
    const text = await exchange(
      `GET /v1/sessions/${'x'.repeat(length)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(statusesIn(text)).toEqual([status]);
    expect(text).toContain(code);
  });

  test.each(['HTTP/0.9', 'HTTP/2.0', 'http/1.1', 'HTTP/1.10'])('of %s are not spoken here', async (version) => {
    expect(statusesIn(await exchange(`GET /livez ${version}\r\nHost: x\r\n\r\n`))).toEqual([400]);
  });

  test('that name the request give it no name in the log', async () => {
    await scene.client.get('/livez', { 'request-id': 'forged', 'x-request-id': 'forged' });
    expect(scene.service.log()).not.toContain('forged');
  });
});
