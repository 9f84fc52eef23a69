// Going down: running turns get their time, everybody gets an end, nobody can hold the close.

import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said, startUpstream } from '../support/upstream.ts';

test('a short stream finishes, and then the service closes', async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (response) => {
    asStream(response).write(event(said('one ')));
    await gate.promise;
    response.end(event(said('two', 'STOP')));
  });
  const service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DRAIN_MS: '10000' });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const stream = client.stream(path, { message: 'hello' });
  await stream.until('the first delta', () => stream.answer() !== '');
  const closed = service.close();
  await until('it is not ready any more', async () => (await client.get('/readyz')).json.code === 'draining');
  expect((await client.get('/livez')).status).toBe(200);
  expect((await client.get(path)).json.messageCount).toBe(0);
  const refused = await client.post(`${await client.session({ model: 'm' })}/messages`, { message: 'too late' });
  expect(refused.json).toMatchObject({ status: 503, code: 'draining', retryable: true });
  gate.resolve();
  await stream.done();
  expect(stream.terminal?.event).toBe('turn.committed');
  await closed;
});

test('at the deadline every turn has its end, on both routes, and the session is free', async () => {
  await using upstream = await startUpstream((response, call) => {
    if (call.model === 'quick') return answer(response, call, 'quick');
    if (call.isStream) asStream(response).write(event(said('half ')));
  });
  const service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DRAIN_MS: '300' });
  const client = new Client(service.url);
  const streamed = await client.session({ model: 'm' });
  const stream = client.stream(streamed, { message: 'hello' });
  const unary = client.post(`${await client.session({ model: 'm' })}/messages`, { message: 'hello' });
  await stream.until('the first delta', () => stream.answer() !== '');
  await until('both are asked', () => upstream.calls.length === 2);
  const startedAt = performance.now();
  await service.close();
  expect(performance.now() - startedAt).toBeLessThan(4000);
  await stream.done();
  expect(stream.terminal).toMatchObject({
    event: 'turn.failed',
    data: { problem: { code: 'draining', retryable: true } },
  });
  expect((await unary).json).toMatchObject({ code: 'draining', status: 503 });
  await Promise.all(upstream.calls.map(({ aborted }) => aborted));
});

test('a client that does not read cannot hold the close', async () => {
  await using scene = await startScene({ DRAIN_MS: '200' });
  const path = await scene.client.session({});
  const { hostname, port } = new URL(scene.service.url);
  const body = JSON.stringify({ message: '[[big:5000000]]', turnId: 'big' });
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).pause();
  socket.write(
    `POST ${path}/messages/stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until('the turn has ended', async () => {
    return (await scene.client.get(`${path}/turns/big`)).json.state === 'COMMITTED';
  });
  const startedAt = performance.now();
  await scene.service.close();
  expect(performance.now() - startedAt).toBeLessThan(5000);
  socket.destroy();
});
