// Whoever asks for much and reads nothing of it is cut, whatever he has asked for; whoever reads slowly is not.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { BareConnection, bareRequest } from '../support/sse.ts';
import { until } from '../support/until.ts';

const STALL_MS = 1500;

let scene: ServiceScene;
let path: string;

beforeAll(async () => {
  scene = await startScene({ CLIENT_STALL_TIMEOUT_MS: String(STALL_MS) });
  path = await scene.client.session({
    messageHistory: Array.from({ length: 8 }, (_, i) => ({ author: i % 2 ? 'bot' : 'user', content: 'x'.repeat(2e6) })),
  });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function ask(): Promise<Socket> {
  const { hostname, port } = new URL(scene.service.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${path}/messages HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n`);
  return socket;
}

const LENGTH = /content-length: (\d+)/i;

test('a page that is never read is given up, and its connection with it', async () => {
  const socket = await ask();
  const isAborted = () => scene.service.logged().some(({ msg, isAborted }) => msg === 'request' && isAborted === true);
  await until('it is cut', isAborted);
  let bytes = 0;
  let head = '';
  socket.on('data', (piece) => {
    head += head.length < 2000 ? piece.toString('latin1') : '';
    bytes += piece.length;
  });
  socket.resume();
  await until('it is closed', () => socket.closed);
  expect(Number(LENGTH.exec(head)?.[1])).toBeGreaterThan(16_000_000);
  expect(bytes).toBeLessThan(16_000_000);
});

test('a page that is read slowly arrives as a whole, and its connection can be used again', async () => {
  const socket = await ask();
  let head = '';
  let bytes = 0;
  const startedAt = performance.now();
  socket.on('data', (piece) => {
    if (bytes < 2000) head += piece.toString('latin1');
    bytes += piece.length;
    socket.pause();
    setTimeout(() => socket.resume(), 10);
  });
  socket.resume();
  const wholeOf = () => head.indexOf('\r\n\r\n') + 4 + Number(LENGTH.exec(head.slice(0, 2000))?.[1]);
  await until('it has arrived', () => bytes === wholeOf() || socket.closed, { deadlineMs: 18_000, everyMs: 50 });
  expect(bytes).toBe(wholeOf());
  // Longer than anybody may be still.
  expect(performance.now() - startedAt).toBeGreaterThan(STALL_MS);
  let next = '';
  socket.on('data', (piece) => {
    next += piece.toString('latin1');
  });
  socket.write('GET /livez HTTP/1.1\r\nHost: h\r\n\r\n');
  await until('the next answer', () => next.includes('{"status":"ok"}'));
  socket.destroy();
});

test('a connection that idles between two requests is not cut for it', async () => {
  const { hostname, port } = new URL(scene.service.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (piece) => {
    text += piece.toString('latin1');
  });
  socket.write('GET /livez HTTP/1.1\r\nHost: h\r\n\r\n');
  await until('the first answer', () => text.includes('{"status":"ok"}'));
  const heardAt = performance.now();
  await until('longer than an answer may stand still', () => performance.now() - heardAt > 2 * STALL_MS);
  text = '';
  socket.write('GET /livez HTTP/1.1\r\nHost: h\r\n\r\n');
  await until('the second answer', () => text.includes('{"status":"ok"}'));
  socket.destroy();
});

test('a request in line behind a stream may take its time', async () => {
  const [streamed, sent] = [await scene.client.session({}), await scene.client.session({})];
  const connection = new BareConnection(scene.service.url);
  await connection.write(
    bareRequest(`${streamed}/messages/stream`, { message: 'hello' }) +
      bareRequest(`${sent}/messages`, { message: `[[delay:${STALL_MS + 1000}]] hello` }),
  );
  const statuses = () => [...connection.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  await until('both are answered, or it is cut', () => statuses().length === 2 || connection.socket.closed);
  expect(statuses()).toEqual(['200', '200']);
  connection.hangUp();
});
