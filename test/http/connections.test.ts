// Connections: how many there may be, and that those which never say what they want are in nobody's way.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';

async function halfOpen(url: string, sent: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  // Or it would never see the end.
  socket.resume();
  await once(socket, 'connect');
  socket.write(sent);
  return socket;
}

const BEGINNINGS = [
  '',
  'GET',
  'GET /v1/sessions HTTP/1.1\r\nHost: h\r\nX-A: ',
  'POST /v1/sessions HTTP/1.1\r\nHost: h\r\n',
];

test('two thousand half-open connections of an address do not starve it, and are closed in time', async () => {
  await using scene = await startScene({ HEADERS_TIMEOUT_MS: '1000', REQUEST_TIMEOUT_MS: '60000' });
  const sockets: Socket[] = [];
  for (let i = 0; i < 2000; i += 100) {
    const some = Array.from({ length: 100 }, (_, j) => halfOpen(scene.service.url, BEGINNINGS[j % 4] ?? ''));
    sockets.push(...(await Promise.all(some)));
  }
  const path = await scene.client.session();
  const streamed = await scene.client.stream(path, { message: 'Hi' }).done();
  expect(streamed.terminal?.event).toBe('turn.committed');
  for (let i = 0; i < 20; i += 1) expect((await scene.client.get(path)).status).toBe(200);
  await until('all of them are closed', () => sockets.every(({ closed }) => closed), { deadlineMs: 15_000 });
});

test('beyond its number a connection is closed as it comes; when one has gone there is room', async () => {
  await using scene = await startScene({ MAX_CONNECTIONS: '3' });
  const open = await Promise.all([1, 2, 3].map(() => halfOpen(scene.service.url, '')));
  const refused = await scene.client.get('/livez').catch(({ code }) => code);
  expect(['ECONNRESET', 'EPIPE']).toContain(refused);
  open[0]?.destroy();
  await until('there is room', () =>
    scene.client.get('/livez').then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  for (const socket of open) socket.destroy();
});
