// What is logged: one line per request and one per turn, and never what people say or who they are.

import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { Client, send } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { answer, asJson, startUpstream } from '../support/upstream.ts';

test('no word of a prompt, an answer, a header, a query or an error text reaches the log', async () => {
  const canary = `canary${randomUUID().replaceAll('-', '')}`;
  await using upstream = await startUpstream((response, call) => {
    const error = (code: number) => asJson(response, code, { error: { code, message: `no ${canary}`, status: 'X' } });
    if (call.model === 'refuse') return error(400);
    if (call.model === 'fail') return error(500);
    if (call.model === 'garbage') return void response.writeHead(200).end(`{"candidates": ${canary}`);
    return answer(response, call, `an answer with ${canary}`);
  });
  await using service = await startService({
    GEMINI_API_KEY: `key-${canary}`,
    GOOGLE_GEMINI_BASE_URL: upstream.url,
    UPSTREAM_RETRIES_MAX: '0',
  });
  const client = new Client(service.url);
  const headers = { authorization: `Bearer ${canary}`, cookie: canary, 'x-any': canary };
  for (const model of ['talk', 'refuse', 'fail', 'garbage']) {
    const path = await client.session({ model, context: canary, displayName: canary, metadata: { a: canary } });
    await client.post(`${path}/messages`, { message: canary }, headers);
    await client.stream(path, { message: canary }, headers).done();
    await client.patch(path, { context: `${canary} again` });
    await client.get(`${path}/messages?pageToken=${canary}`, headers);
    await client.delete(path);
  }
  await client.post('/v1/sessions', `{"context": "${canary}" oops`);
  await client.post('/v1/sessions', { [canary]: 1 });
  await client.get(`/v1/${canary}?secret=${canary}`);
  await client.get(`/v1/sessions/%zz${canary}`);
  await send(`${service.url}/v1/sessions/${'x'.repeat(9000)}${canary}`, 'GET');
  await send(`${service.url}/v1/sessions/${canary}/messages`, 'PUT', { body: canary });
  expect(service.log().length).toBeGreaterThan(1000);
  expect(service.log()).not.toContain(canary);
});

test('what the upstream says about our credential is in the log, and nowhere else', async () => {
  await using upstream = await startUpstream((response) => {
    asJson(response, 403, { error: { code: 403, message: 'denied on project-of-ours', status: 'PERMISSION_DENIED' } });
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const { text } = await client.post(`${path}/messages`, { message: 'hello' });
  expect(text).not.toContain('project-of-ours');
  expect(service.log()).toContain('upstream 403 PERMISSION_DENIED: denied on project-of-ours');
});

test('there is exactly one line per request and one per turn', async () => {
  await using scene = await startScene();
  const { client, service } = scene;
  const path = await client.session({ id: 'x' });
  await client.post(`${path}/messages`, { message: 'hello', turnId: 'a' });
  await client.stream(path, { message: '[[block-answer]]', turnId: 'b' }).done();
  await client.get('/v1/nothing');
  await service.close();
  const lines = service
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (msg: string) => lines.filter((line) => line.msg === msg);
  expect(of('request').map(({ route, status }) => [route, status])).toEqual([
    ['/v1/sessions', 201],
    ['/v1/sessions/:sessionId/messages', 200],
    ['/v1/sessions/:sessionId/messages/stream', 200],
    [null, 404],
  ]);
  expect(of('turn').map(({ turnId, state, sessionId }) => [sessionId, turnId, state])).toEqual([
    ['x', 'a', 'COMMITTED'],
    ['x', 'b', 'BLOCKED'],
  ]);
});
