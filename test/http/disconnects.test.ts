// Clients that go, or stop reading: the turn does not care, and nothing of them stays.

import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type RunningService, startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { asStream, event, said, startUpstream } from '../support/upstream.ts';

const MEBIBYTE = 1024 * 1024;

/** A client on a bare socket, which reads only when told to. */
function openStream(service: RunningService, path: string, body: object): Socket {
  const { hostname, port } = new URL(service.url);
  const payload = JSON.stringify(body);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(
    `POST ${path}/messages/stream HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`,
  );
  return socket;
}

function connections(service: RunningService): Promise<number> {
  return new Promise((resolve, reject) => {
    service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

async function committed(client: Client, path: string, turnId: string): Promise<void> {
  await until('the turn has committed', async () => {
    const { json } = await client.get(`${path}/turns/${turnId}`);
    return json.state === 'COMMITTED';
  });
}

test('a client that hangs up at any event changes nothing for the turn', async () => {
  await using scene = await startScene();
  const { client, service } = scene;
  const path = await client.session({});
  const whole = await client.stream(path, { message: '[[chunks:8]] count' }).done();
  for (let after = 1; after <= whole.events.length; after += 1) {
    const turnId = `t${after}`;
    const stream = client.stream(path, { message: `[[chunks:8]] count ${after}`, turnId });
    await stream.until(`event ${after}`, ({ events }) => events.length >= after);
    stream.hangUp();
    await committed(client, path, turnId);
  }
  expect((await client.get(path)).json.messageCount).toBe(2 + 2 * whole.events.length);
  await until('all connections are closed', async () => (await connections(service)) === 0);
});

test('a client that never reads costs a socket buffer, and is cut', async () => {
  await using scene = await startScene({ CLIENT_STALL_TIMEOUT_MS: '500' });
  const { client, service } = scene;
  const path = await client.session({});
  const socket = openStream(service, path, { message: `[[big:${5 * MEBIBYTE}]]`, turnId: 'big' });
  await committed(client, path, 'big');
  await until('the stuck connection is gone', async () => (await connections(service)) === 0);
  let received = 0;
  socket.on('data', (piece) => {
    received += piece.length;
  });
  socket.resume();
  await until('the client sees the cut', () => socket.destroyed || socket.readyState !== 'open');
  // What it gets is what the kernel held: the rest was never written.
  expect(received).toBeLessThan(5 * MEBIBYTE);
  expect((await client.history(path))[1]?.[1].length).toBeGreaterThan(4.9 * MEBIBYTE);
});

test('a slow but steady reader is not cut, and gets everything', async () => {
  // Longer than a busy machine keeps this process waiting, and much shorter than the reading takes.
  await using scene = await startScene({ CLIENT_STALL_TIMEOUT_MS: '1500' });
  const { client, service } = scene;
  const path = await client.session({});
  // More than the kernel buffers of both ends hold together, so that the service has to wait for this reader.
  const socket = openStream(service, path, { message: `[[big:${12 * MEBIBYTE}]]`, turnId: 'big' });
  let tail = '';
  socket.on('data', (piece: Buffer) => {
    tail = (tail + piece.toString('latin1')).slice(-5000);
    socket.pause();
    setTimeout(() => socket.resume(), 20);
  });
  socket.resume();
  await until('the stream has ended', () => socket.destroyed, { deadlineMs: 19_000, everyMs: 20 });
  expect(tail).toContain('event: turn.committed');
});

test('a fast viewer is not held up by a client that does not read', async () => {
  await using scene = await startScene();
  const { client, service } = scene;
  const stuckPath = await client.session({});
  const stuck = openStream(service, stuckPath, { message: `[[big:${5 * MEBIBYTE}]]`, turnId: 'stuck' });
  const path = await client.session({});
  const stream = await client.stream(path, { message: 'hello' }).done();
  expect(stream.terminal?.event).toBe('turn.committed');
  stuck.destroy();
});

test('with onDisconnect: cancel the end of the connection aborts the model and leaves no trace in the history', async () => {
  await using upstream = await startUpstream((response) => {
    asStream(response).write(event(said('and then ')));
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const stream = client.stream(path, { message: 'hello', onDisconnect: 'cancel', turnId: 'it' });
  await stream.until('the first delta', () => stream.answer() !== '');
  const hungUpAt = performance.now();
  stream.hangUp();
  await upstream.calls[0]?.aborted;
  expect(performance.now() - hungUpAt).toBeLessThan(1000);
  const turn = await until('the turn is over', async () => {
    const { json } = await client.get(`${path}/turns/it`);
    return json.state === 'RUNNING' ? undefined : json;
  });
  expect(turn).toMatchObject({ state: 'CANCELLED', text: 'and then ', isBlocked: false });
  expect(await client.history(path)).toEqual([]);
});

test('with onDisconnect: cancel a client that leaves before the first word cancels too', async () => {
  await using upstream = await startUpstream(() => undefined);
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const stream = client.stream(path, { message: 'hello', onDisconnect: 'cancel', turnId: 'it' });
  await until('the model is asked', () => upstream.calls.length === 1);
  stream.hangUp();
  await upstream.calls[0]?.aborted;
  await until('the turn is over', async () => (await client.get(`${path}/turns/it`)).json.state === 'CANCELLED');
});

test('with onDisconnect: cancel a client that leaves at once, before there is a turn, cancels too', async () => {
  await using scene = await startScene();
  const { client, service } = scene;
  for (let i = 0; i < 20; i += 1) {
    const path = await client.session({});
    const message = '[[slow:100]] [[chunks:60]]';
    const socket = openStream(service, path, { message, onDisconnect: 'cancel', turnId: 'it' });
    await new Promise((resolve) => socket.once('connect', resolve));
    setImmediate(() => socket.destroy());
    await until('its turn is over, or never began', async () => {
      const { json } = await client.get(`${path}/turns/it`);
      return json.state === 'CANCELLED' || json.code === 'turn_not_found';
    });
  }
});

test('deleting a session cancels its turn, ends its stream and aborts the model', async () => {
  await using upstream = await startUpstream((response) => {
    asStream(response).write(event(said('and then ')));
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm', id: 'again' });
  const stream = client.stream(path, { message: 'hello' });
  await stream.until('the first delta', () => stream.answer() !== '');
  expect((await client.delete(path)).status).toBe(204);
  await stream.done();
  expect(stream.terminal?.event).toBe('turn.cancelled');
  await upstream.calls[0]?.aborted;
  expect((await client.get(path)).json.code).toBe('session_not_found');
  await client.session({ model: 'm', id: 'again' });
  expect(await client.history(path)).toEqual([]);
});
