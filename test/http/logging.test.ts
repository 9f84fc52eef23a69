// What is logged: one line per request and one per turn, and never what people say or who they are.

import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { Client, send } from '../support/client.ts';
import { type LogLine, type RunningService, startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { BareConnection, bareExchange, bareRequest } from '../support/sse.ts';
import { until } from '../support/until.ts';
import { answer, asJson, asStream, event, said, startUpstream, type UpstreamCall } from '../support/upstream.ts';

/** Words that cannot come from anywhere else, one for each place that a word can come from. */
class Canaries {
  readonly #names = new Map<string, string>();

  /** The canary of this place. */
  of(place: string): string {
    const known = this.#names.get(place) ?? `canary${randomUUID().replaceAll('-', '')}`;
    this.#names.set(place, known);
    return known;
  }

  /** The places whose canaries are in the text. */
  in(text: string): readonly string[] {
    return [...this.#names].filter(([, canary]) => text.includes(canary)).map(([place]) => place);
  }
}

/** A model that says canaries in whatever way it is asked to fail. */
function startTalkative(canaries: Canaries) {
  return startUpstream((response, call: UpstreamCall) => {
    const error = (code: number) => {
      const message = canaries.of(`upstream error ${code}`);
      asJson(response, code, { error: { code, message, status: 'X', details: [{ reason: message }] } });
    };
    const status = /^status-(\d+)$/.exec(call.model)?.[1];
    if (status) return error(Number(status));
    const text = canaries.of('answer');
    switch (call.model) {
      case 'garbage':
        return void response.writeHead(200).end(`{"candidates": ${canaries.of('garbage')}`);
      case 'half':
        asStream(response).write(event(said(text)));
        return void response.end(`data: {"error": {"code": 500, "message": "${canaries.of('late error')}"}}\r\n\r\n`);
      case 'blocked':
        return asJson(response, 200, { promptFeedback: { blockReason: 'SAFETY', blockReasonMessage: text } });
      default:
        return answer(response, call, text);
    }
  });
}

/** Every route, with a canary wherever a word fits. */
async function sayEverything(service: RunningService, canaries: Canaries, model: string): Promise<void> {
  const client = new Client(service.url);
  const headers = { authorization: `Bearer ${canaries.of('token')}`, cookie: canaries.of('cookie'), 'x-any': 'any' };
  const path = await client.session({
    model,
    context: canaries.of('context'),
    displayName: canaries.of('displayName'),
    metadata: { [canaries.of('metadata key')]: canaries.of('metadata') },
    examples: [{ input: canaries.of('example'), output: canaries.of('example') }],
    stopSequences: [canaries.of('stop sequence')],
    tools: [{ functionDeclarations: [{ name: canaries.of('tool') }] }],
    messageHistory: [
      { author: 'user', content: canaries.of('history') },
      { author: 'bot', content: canaries.of('history') },
    ],
  });
  await client.post(`${path}/messages`, { message: canaries.of('prompt') }, headers);
  await client.stream(path, { parts: [{ text: canaries.of('part') }] }, headers).done();
  const grounding = { type: 'inlineContext', inlineContext: canaries.of('inline context') };
  await client.post(`${path}/messages`, { message: canaries.of('prompt'), groundingSource: grounding }, headers);
  await client.patch(path, { context: canaries.of('patch') }, { 'if-match': `"${canaries.of('if-match')}"` });
  await client.patch(path, { context: canaries.of('patch') });
  await client.get(path, headers);
  await client.get(`${path}/messages?pageToken=${canaries.of('page token')}`, headers);
  await client.get(`${path}/turns/${canaries.of('turn id')}`, headers);
  await client.delete(path);
}

/** Every way to be refused, with a canary in it. */
async function sayNonsense(service: RunningService, canaries: Canaries): Promise<void> {
  const client = new Client(service.url);
  await client.post('/v1/sessions', `{"context": "${canaries.of('bad JSON')}" oops`);
  await client.post('/v1/sessions', { [canaries.of('unknown field')]: 1 });
  await client.post('/v1/sessions', { temperature: canaries.of('wrong type') });
  await client.post('/v1/sessions', canaries.of('form'), { 'content-type': `text/${canaries.of('content type')}` });
  await client.get(`/v1/${canaries.of('path')}?secret=${canaries.of('query')}`);
  await client.get(`/v1/sessions?${canaries.of('parameter')}=1`);
  await client.get(`/v1/sessions/%zz${canaries.of('malformed path')}`);
  await client.get('/v1/sessions', { accept: `text/${canaries.of('accept')}` });
  await send(`${service.url}/v1/sessions/${'x'.repeat(9000)}${canaries.of('long path')}`, 'GET');
  await send(`${service.url}/v1/sessions/${canaries.of('path')}/messages`, 'PUT', { body: canaries.of('body') });
  await bareExchange(service.url, `${canaries.of('nonsense')}\r\n\r\n`);
  await bareExchange(
    service.url,
    `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${canaries.of('big header').repeat(1000)}\r\n\r\n`,
  );
}

test('no word of a prompt, an answer, a header, a query or an error text reaches the log', async () => {
  const canaries = new Canaries();
  await using upstream = await startTalkative(canaries);
  await using service = await startService({
    GEMINI_API_KEY: canaries.of('api key'),
    GOOGLE_GEMINI_BASE_URL: upstream.url,
    UPSTREAM_RETRIES_MAX: '0',
  });
  const models = ['talk', 'garbage', 'half', 'blocked', 'status-400', 'status-404', 'status-429', 'status-500'];
  for (const model of models) await sayEverything(service, canaries, model);
  await sayNonsense(service, canaries);
  const told = service.logged().filter(({ msg }) => msg === 'turn');
  expect(new Set(told.map(({ state }) => state))).toEqual(new Set(['COMMITTED', 'BLOCKED', 'FAILED']));
  expect(canaries.in(service.log())).toEqual([]);
});

test.each([401, 403])('what the upstream says with %i about our credential is in the log alone', async (status) => {
  const canaries = new Canaries();
  const denial = `denied for ${canaries.of('denial')}`;
  await using upstream = await startUpstream((response) => {
    asJson(response, status, { error: { code: status, message: denial, status: 'PERMISSION_DENIED' } });
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm', context: canaries.of('context') });
  const sent = await client.post(`${path}/messages`, { message: canaries.of('prompt'), turnId: 'a' });
  const streamed = await client.stream(path, { message: canaries.of('prompt'), turnId: 'b' }).done();
  const turns = await Promise.all(['a', 'b'].map((turn) => client.get(`${path}/turns/${turn}`)));
  for (const text of [sent.text, streamed.text, ...turns.map((turn) => turn.text)]) {
    expect(JSON.parse(text).problem ?? JSON.parse(text)).toMatchObject({ status: 502, code: 'model_error' });
    expect(canaries.in(text)).toEqual([]);
  }
  expect(service.log()).toContain(`upstream ${status} PERMISSION_DENIED: ${denial}`);
  expect(canaries.in(service.log())).toEqual(['denial']);
});

const requestsIn = (lines: readonly LogLine[]) => lines.filter(({ msg }) => msg === 'request');
const turnsIn = (lines: readonly LogLine[]) => lines.filter(({ msg }) => msg === 'turn');

test('there is exactly one line per request, and one per turn', async () => {
  await using scene = await startScene({ BODY_LIMIT_BYTES: '2000' });
  const { client, service } = scene;
  const path = await client.session({ id: 'x' });
  await client.post(`${path}/messages`, { message: 'hello', turnId: 'a' });
  await client.stream(path, { message: '[[block-answer]]', turnId: 'b' }).done();
  await client.stream(path, { message: '[[cut]]', turnId: 'c' }).done();
  await client.post(`${path}/messages`, { message: '[[status:400]]', turnId: 'd' });
  await client.post(`${path}/messages`, { message: 'hello', turnId: 'a' });
  await client.post('/v1/sessions', 'x'.repeat(3000));
  await client.post('/v1/sessions', '{');
  await client.get('/v1/nothing?a=b');
  await client.get('/v1/sessions/%zz');
  await send(`${service.url}${path}`, 'HEAD');
  await client.get('/livez');
  await service.close();
  const lines = service.logged();
  expect(requestsIn(lines).map(({ method, route, status }) => [method, route, status])).toEqual([
    ['POST', '/v1/sessions', 201],
    ['POST', '/v1/sessions/:sessionId/messages', 200],
    ['POST', '/v1/sessions/:sessionId/messages/stream', 200],
    ['POST', '/v1/sessions/:sessionId/messages/stream', 200],
    ['POST', '/v1/sessions/:sessionId/messages', 422],
    ['POST', '/v1/sessions/:sessionId/messages', 409],
    ['POST', '/v1/sessions', 413],
    ['POST', '/v1/sessions', 400],
    ['GET', null, 404],
    ['GET', null, 400],
    ['HEAD', null, 405],
    ['GET', '/livez', 200],
  ]);
  expect(turnsIn(lines).map(({ turnId, state, sessionId, isStream }) => [sessionId, turnId, state, isStream])).toEqual([
    ['x', 'a', 'COMMITTED', false],
    ['x', 'b', 'BLOCKED', true],
    ['x', 'c', 'FAILED', true],
    ['x', 'd', 'FAILED', false],
  ]);
});

test('a request whose client has gone has its line, too', async () => {
  await using scene = await startScene();
  const { client, service } = scene;
  const path = await client.session({});
  const early = client.stream(path, { message: '[[delay:200]] hello', turnId: 'early' });
  await until('the turn runs', async () => (await client.get(path)).json.activeTurn);
  early.hangUp();
  await until('it has ended', async () => (await client.get(`${path}/turns/early`)).json.state === 'COMMITTED');
  const late = client.stream(path, { message: '[[slow:20]] [[chunks:9]] hello', turnId: 'late' });
  await late.until('the first delta', () => late.answer() !== '');
  late.hangUp();
  await until('it has ended', async () => (await client.get(`${path}/turns/late`)).json.state === 'COMMITTED');
  const broken = new BareConnection(service.url);
  const chunked = { 'Content-Length': '', 'Transfer-Encoding': 'chunked' };
  await broken.write(bareRequest('/v1/sessions', 'ZZ', chunked).replace(/Content-Length: *\r\n/, ''));
  await broken.ended();
  await service.close();
  const aborted = requestsIn(service.logged()).filter(({ isAborted }) => isAborted);
  expect(aborted.map(({ route, status }) => [route, status])).toEqual([
    ['/v1/sessions/:sessionId/messages/stream', undefined],
    ['/v1/sessions/:sessionId/messages/stream', 200],
    ['/v1/sessions', undefined],
  ]);
  expect(turnsIn(service.logged()).map(({ turnId }) => turnId)).toEqual(['early', 'late']);
  expect(service.logged().filter(({ level }) => level > 30)).toEqual([]);
});
