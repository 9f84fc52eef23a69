// POST /v1/sessions/{sessionId}/count-tokens: what is counted, what comes back, and that nothing changes by it.

import { describe, expect, it } from 'vitest';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { answer, asJson, type Script, startUpstream } from '../support/upstream.ts';

const counts: Script = (response, call) => {
  if (!call.url.endsWith(':countTokens')) return answer(response, call, 'Fine.');
  return asJson(response, 200, { totalTokens: 42, promptTokensDetails: [{ modality: 'TEXT', tokenCount: 42 }] });
};

const CONFIG = {
  context: 'Be brief.',
  examples: [{ input: 'in', output: 'out' }],
  temperature: 0,
  tools: [{ functionDeclarations: [{ name: 'f' }] }],
  labels: { team: 'a' },
};
const TEXTS = ['in', 'out', 'One?', 'Fine.', 'Two?'];

interface Counted {
  readonly contents: { readonly parts: { readonly text: string }[] }[];
}

const textsOf = ({ contents }: Counted) => contents.flatMap(({ parts }) => parts.map(({ text }) => text));

describe('what is counted', () => {
  it('on Vertex AI: context, examples, history, question, tools and settings', async () => {
    await using upstream = await startUpstream(counts);
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const path = await client.session({ model: 'm', ...CONFIG });
    await client.post(`${path}/messages`, { message: 'One?' });
    expect(await client.post(`${path}/count-tokens`, { message: 'Two?' })).toMatchObject({
      status: 200,
      json: { totalTokens: 42 },
    });
    const body = JSON.parse(upstream.calls.at(-1)?.body ?? '');
    expect(textsOf(body)).toEqual(TEXTS);
    expect(body).toMatchObject({ tools: CONFIG.tools, generationConfig: { temperature: 0 } });
    expect(body.systemInstruction.parts).toEqual([{ text: 'Be brief.' }]);
    expect(Object.keys(body).sort()).toEqual(['contents', 'generationConfig', 'systemInstruction', 'tools']);
  });

  it('on the Developer API: the same, where that API reads it', async () => {
    await using upstream = await startUpstream(counts);
    await using service = await startService({ GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: upstream.url });
    const client = new Client(service.url);
    const { labels: _labels, ...config } = CONFIG;
    const path = await client.session({ model: 'm', ...config });
    await client.post(`${path}/messages`, { message: 'One?' });
    await client.post(`${path}/count-tokens`, { message: 'Two?' });
    const { generateContentRequest, ...rest } = JSON.parse(upstream.calls.at(-1)?.body ?? '');
    expect(rest).toEqual({});
    expect(textsOf(generateContentRequest)).toEqual(TEXTS);
    expect(generateContentRequest).toMatchObject({ model: 'models/m', tools: CONFIG.tools });
  });

  it.each<[string, object | undefined, string[]]>([
    ['nothing, with an empty object', {}, []],
    ['nothing, with an empty body', undefined, []],
    ['parts', { parts: [{ text: 'a' }, { text: 'b' }] }, ['a', 'b']],
  ])('beside the history: %s', async (_what, body, texts) => {
    await using upstream = await startUpstream(counts);
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const path = await client.session({ model: 'm', messageHistory: [{ author: 'bot', content: 'Hello!' }] });
    expect((await client.post(`${path}/count-tokens`, body)).status).toBe(200);
    expect(textsOf(JSON.parse(upstream.calls[0]?.body ?? ''))).toEqual([' ', 'Hello!', ...texts]);
  });
});

describe('a count', () => {
  it.each(['gemini-3-pro', 'chat-bison'])('of the built-in emulator grows with what is said (%s)', async (model) => {
    await using scene = await startScene();
    const { client } = scene;
    const path = await client.session({ model, context: 'Be brief.' });
    const count = async (message?: string) => {
      const { status, json } = await client.post(`${path}/count-tokens`, message === undefined ? {} : { message });
      expect(status, JSON.stringify(json)).toBe(200);
      return json.totalTokens as number;
    };
    const empty = await count();
    const asked = await count('What is the time?');
    expect(asked).toBeGreaterThan(empty);
    await client.post(`${path}/messages`, { message: 'What is the time?' });
    expect(await count('What is the time?')).toBeGreaterThan(asked);
  });

  it('makes no turn and no change', async () => {
    await using scene = await startScene();
    const { client } = scene;
    const path = await client.session({ model: 'emulator' });
    const before = (await client.get(path)).json;
    await client.post(`${path}/count-tokens`, { message: 'Hi' });
    expect((await client.get(path)).json).toEqual(before);
    expect(await client.history(path)).toEqual([]);
  });

  it('beside a running turn sees the committed history, and does not wait', async () => {
    await using upstream = await startUpstream((response, call) => {
      if (call.url.endsWith(':countTokens')) return asJson(response, 200, { totalTokens: 1 });
      return undefined;
    });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DRAIN_MS: '0' });
    const client = new Client(service.url);
    const path = await client.session({ model: 'm' });
    const stream = client.stream(path, { message: 'Never answered' });
    await until('the model is asked', () => upstream.calls.length === 1);
    expect((await client.post(`${path}/count-tokens`, { message: 'Hi' })).json).toEqual({ totalTokens: 1 });
    expect(textsOf(JSON.parse(upstream.calls[1]?.body ?? ''))).toEqual(['Hi']);
    stream.hangUp();
  });

  it('that the client does not wait for ends its call to the model', async () => {
    await using upstream = await startUpstream(() => undefined);
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const path = await client.session({ model: 'm' });
    const controller = new AbortController();
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body: '{"message":"Hi"}', headers, signal: controller.signal };
    const call = fetch(`${service.url}${path}/count-tokens`, init).catch(() => 'gone');
    await until('the model is asked', () => upstream.calls.length === 1);
    controller.abort();
    expect(await call).toBe('gone');
    await upstream.calls[0]?.aborted;
  });
});

describe('what cannot be counted', () => {
  it.each<[string, unknown, string]>([
    ['an unknown field', { massage: 'x' }, 'massage'],
    ['null', null, 'must be object'],
    ['message and parts at once', { message: 'x', parts: [{ text: 'y' }] }, 'not both message and parts'],
    ['an empty message', { message: '' }, '/message'],
    ['parts that only a model may say', { parts: [{ functionCall: { name: 'f' } }] }, '/parts/0'],
    [
      'files that the deployment does not allow',
      { parts: [{ fileData: { fileUri: 'gs://b/x' } }] },
      '/parts/0/fileData',
    ],
  ])('%s is a 400', async (_what, body, path) => {
    await using scene = await startScene();
    const session = await scene.client.session({ model: 'emulator' });
    const { status, json } = await scene.client.post(`${session}/count-tokens`, body);
    expect({ status, code: json.code }).toEqual({ status: 400, code: 'invalid_argument' });
    expect(JSON.stringify(json.errors)).toContain(path);
  });

  it('a session that is not there is a 404', async () => {
    await using scene = await startScene();
    expect(await scene.client.post('/v1/sessions/nobody/count-tokens', {})).toMatchObject({
      status: 404,
      json: { code: 'session_not_found' },
    });
  });

  it.each<[string, Script, number, string]>([
    ['refuses', (r) => asJson(r, 400, { error: { code: 400, message: 'No.' } }), 422, 'unsupported_by_model'],
    ['has no capacity', (r) => asJson(r, 429, { error: { code: 429 } }), 429, 'model_overloaded'],
    ['answers with nonsense', (r) => asJson(r, 200, { hello: 1 }), 502, 'model_protocol_error'],
    ['answers with no JSON', (r) => void r.end('<html>'), 502, 'model_protocol_error'],
  ])('a model that %s is told as on a send', async (_what, script, status, code) => {
    await using upstream = await startUpstream(script);
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, UPSTREAM_RETRIES_MAX: '0' });
    const client = new Client(service.url);
    const path = await client.session({ model: 'm' });
    const answered = await client.post(`${path}/count-tokens`, { message: 'Hi' });
    expect({ status: answered.status, code: answered.json.code }).toEqual({ status, code });
  });
});
