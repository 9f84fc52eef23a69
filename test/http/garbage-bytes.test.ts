// Bytes that are hardly HTTP, or none: answered as a problem, then forgotten, socket and all.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { BareConnection, bareExchange, bareRequest } from '../support/sse.ts';
import { until } from '../support/until.ts';

let scene: ServiceScene;
beforeAll(async () => {
  scene = await startScene({ BODY_LIMIT_BYTES: '100000' });
});
afterAll(async () => {
  expect((await scene.client.get('/v1/sessions')).json.sessions).toEqual([]);
  expect(Math.max(...scene.service.logged().map(({ level }) => level))).toBe(30);
  await scene[Symbol.asyncDispose]();
});

function connections(): Promise<number> {
  return new Promise((resolve, reject) => {
    scene.service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** The one answer in these bytes: exactly one, a problem, and its body has the status of its head. */
function expectOneProblem(text: string, status: number, code: string): void {
  expect(text.match(/HTTP\/1\.1 /g)?.length).toBe(1);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head.toLowerCase()).toContain('content-type: application/problem+json');
  expect(JSON.parse(body)).toMatchObject({ status, code, title: expect.any(String), detail: expect.any(String) });
}

const CREATE = 'POST /v1/sessions HTTP/1.1\r\nHost: x\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';

describe('a bare socket that says', () => {
  test.each([
    ['nonsense', 'hello\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a version that does not exist', 'GET /livez HTTP/9.9\r\nHost: x\r\n\r\n', 400],
    ['an unknown method', 'BREW /coffee HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ['thousands of headers', `GET / HTTP/1.1\r\nHost: x\r\n${'X-A: aaaaaaaaaa\r\n'.repeat(4000)}\r\n`, 431],
    ['two lengths', `${CREATE}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    ['a length that is no number', `${CREATE}Content-Length: two\r\n\r\n{}`, 400],
    ['a negative length', `${CREATE}Content-Length: -2\r\n\r\n{}`, 400],
    ['a length beside chunks', `${CREATE}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`, 400],
    ['chunks that are not the last encoding', `${CREATE}Transfer-Encoding: chunked, identity\r\n\r\n{}`, 400],
    ['a chunk without a size', `${CREATE}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n`, 400],
    ['a header without a name', 'GET /livez HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n', 400],
    ['a space before the colon', 'GET /livez HTTP/1.1\r\nHost : x\r\n\r\n', 400],
    ['a bare line end in a header', 'GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n', 400],
    ['no host', 'GET /livez HTTP/1.1\r\n\r\n', 400],
  ])('%s reads one problem, and the connection is closed', async (_what, bytes, status) => {
    const text = await bareExchange(scene.service.url, bytes);
    expectOneProblem(text, status, status === 431 ? 'headers_too_large' : 'invalid_argument');
  });

  test('anything, and keeps its own half open, is not kept in turn', async () => {
    const connection = new BareConnection(scene.service.url, { allowHalfOpen: true });
    await connection.write('hello\r\n\r\n');
    await connection.ended();
    expectOneProblem(connection.text, 400, 'invalid_argument');
    await until('the socket of the service is gone', async () => (await connections()) === 0);
    connection.hangUp();
  });

  test('nothing of HTTP/1.0 but the line is answered', async () => {
    expect(await bareExchange(scene.service.url, 'GET /livez HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /);
  });

  test('where it wants to go in full is answered', async () => {
    const bytes = 'GET http://example.org/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    expect(await bareExchange(scene.service.url, bytes)).toMatch(/^HTTP\/1.1 200 /);
  });

  test('an expectation that nobody knows is answered as if it had not', async () => {
    const bytes = `GET /livez HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n`;
    expect(await bareExchange(scene.service.url, bytes)).toMatch(/^HTTP\/1.1 200 /);
  });

  test('several requests at once gets their answers in order', async () => {
    const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await bareExchange(
      scene.service.url,
      get('/livez') + get('/v1/nothing') + get('/livez', 'Connection: close\r\n'),
    );
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '404', '200']);
  });
});

test('bytes that are no HTTP after a request whose answer has not begun read one problem', async () => {
  const path = await scene.client.session({});
  const connection = new BareConnection(scene.service.url);
  await connection.write(bareRequest(`${path}/messages`, { message: '[[delay:300]] hello', turnId: 'it' }));
  await connection.write('\x00\x01nonsense\r\n\r\n');
  await connection.ended();
  expectOneProblem(connection.text, 400, 'invalid_argument');
  await until('its turn goes on, whatever its client says', async () => {
    return (await scene.client.get(`${path}/turns/it`)).json.state === 'COMMITTED';
  });
  await scene.client.delete(path);
});

test.each([
  ['HTTP/1.0', '1.0', {}],
  ['HTTP/1.0 and wants to keep its connection', '1.0', { Connection: 'keep-alive' }],
  ['HTTP/1.1 and wants to close its connection', '1.1', { Connection: 'close' }],
])('a stream for who speaks %s says that the connection ends with it, and does so', async (_what, version, headers) => {
  const path = await scene.client.session({});
  const asked = bareRequest(`${path}/messages/stream`, { message: 'hello' }, headers);
  const [head = '', body = ''] = (
    await bareExchange(scene.service.url, asked.replace('HTTP/1.1', `HTTP/${version}`))
  ).split('\r\n\r\n');
  expect(head.toLowerCase().match(/^connection: .*$/gm)).toEqual(['connection: close']);
  expect(head.toLowerCase().includes('transfer-encoding: chunked')).toBe(version === '1.1');
  expect(body).toContain('event: turn.committed\n');
  await scene.client.delete(path);
});

test('bytes that are no HTTP in the middle of a stream end it, and are not mixed into it', async () => {
  const path = await scene.client.session({});
  const connection = new BareConnection(scene.service.url);
  await connection.write(
    bareRequest(`${path}/messages/stream`, { message: '[[slow:50]] [[chunks:8]] hello', turnId: 'it' }),
  );
  await connection.until('the first delta', ({ text }) => text.includes('candidate.delta'));
  await connection.write('\x00\x01nonsense\r\n\r\n');
  await connection.ended();
  expect(connection.text.match(/HTTP\/1\.1 /g)?.length).toBe(1);
  expect(connection.text).not.toContain('turn.committed');
  await until('the turn has committed', async () => {
    return (await scene.client.get(`${path}/turns/it`)).json.state === 'COMMITTED';
  });
  await scene.client.delete(path);
});

describe('a body that is too large', () => {
  test('and long in coming is answered when it has come', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 0x20);
    const megabytes = 6;
    const connection = new BareConnection(scene.service.url);
    // Reads nothing before it has written everything, as many clients do.
    connection.pause();
    await connection.write(
      `${CREATE}${JSON_TYPE}Content-Length: ${megabytes * megabyte.length}\r\nConnection: close\r\n\r\n`,
    );
    for (let written = 0; written < megabytes; written += 1) {
      await connection.write(megabyte);
      const pauseUntil = performance.now() + 500;
      await until('its next megabyte is due', () => performance.now() > pauseUntil);
    }
    expect(connection.ending).toBeUndefined();
    connection.resume();
    await connection.ended();
    expectOneProblem(connection.text, 413, 'payload_too_large');
  });

  test('and never comes is answered soon', async () => {
    const startedAt = performance.now();
    const text = await bareExchange(scene.service.url, `${CREATE}${JSON_TYPE}Content-Length: 200000\r\n\r\n`);
    expectOneProblem(text, 413, 'payload_too_large');
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });

  test('and has no end is not read for ever', async () => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(1024 * 1024, 0x20), Buffer.from('\r\n')]);
    const connection = new BareConnection(scene.service.url);
    await connection.write(`${CREATE}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n`);
    let megabytes = 0;
    while (connection.ending === undefined && connection.text === '' && megabytes < 500) {
      await Promise.race([connection.write(chunk), connection.ended().catch(() => undefined)]);
      megabytes += 1;
    }
    // What the kernel takes for both ends is written, too.
    expect(megabytes).toBeLessThan(100);
    await connection.ended();
  });
});
