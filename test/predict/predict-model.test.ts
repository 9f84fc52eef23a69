// The adapter of the legacy wire over real sockets: where it calls, what it makes of every way to answer, and the whole
// service with models of both wires.

import { describe, expect, it } from 'vitest';
import { PredictModel } from '../../src/adapters/predict/predict-model.ts';
import { speaksPredict } from '../../src/adapters/predict/predict-models.ts';
import { toTensor } from '../../src/adapters/predict/tensor.ts';
import type { Backend } from '../../src/adapters/upstream/endpoint.ts';
import { Upstream, type UpstreamRules } from '../../src/adapters/upstream/upstream.ts';
import { Client } from '../support/client.ts';
import { ask, REQUEST, RULES, WAYS, type Way, within } from '../support/model-scene.ts';
import { startService } from '../support/service.ts';
import { asJson, asStream, event, type Script, startUpstream } from '../support/upstream.ts';

function at(backend: Backend, rules: Partial<UpstreamRules> = {}): PredictModel {
  return new PredictModel(new Upstream(backend, { ...RULES, ...rules }, () => 0));
}

/** A model of the wire in front of a scripted upstream, asked once. */
async function answered(script: Script, way: Way, rules: Partial<UpstreamRules> = {}) {
  await using upstream = await startUpstream(script);
  const model = at({ kind: 'emulator', address: upstream.address, project: 'p', location: 'eu' }, rules);
  const outcome = await ask(model, way, undefined, { ...REQUEST, model: 'chat-bison@002' });
  await model.close();
  return { ...outcome, calls: upstream.calls };
}

function prediction(content: string, more: object = {}) {
  return { candidates: [{ author: '1', content }], safetyAttributes: [{ blocked: false }], ...more };
}

const output = (value: object) => ({ outputs: [toTensor(value)] });

const isStreaming = (url: string) => url.includes(':serverStreamingPredict');

/** The same words on either way, streamed word by word. */
const says =
  (...words: readonly string[]): Script =>
  (response, { url }) => {
    if (!isStreaming(url)) return asJson(response, 200, { predictions: [prediction(words.join(''))] });
    return asStream(response).end(words.map((word) => event(output(prediction(word)))).join(''));
  };

describe('a call', () => {
  it.each<[Way, string]>([
    ['generate', ':predict'],
    ['stream', ':serverStreamingPredict?alt=sse'],
  ])('to %s goes to the method of the wire', async (way, method) => {
    const { calls, text } = await answered(says('a', 'b'), way);
    expect(calls.map(({ url }) => decodeURIComponent(url))).toEqual([
      `/v1/projects/p/locations/eu/publishers/google/models/chat-bison@002${method}`,
    ]);
    expect(text).toBe('ab');
  });

  it('to count tokens sends the instance, without parameters', async () => {
    await using upstream = await startUpstream((response) => {
      return asJson(response, 200, { totalTokens: 7, totalBillableCharacters: 25 });
    });
    const model = at({ kind: 'emulator', address: upstream.address, project: 'p', location: 'eu' });
    const request = { ...REQUEST, context: 'c', settings: { temperature: 1 } };
    const count = await model.countTokens(request, new AbortController().signal);
    await model.close();
    expect(count).toEqual({ totalTokens: 7, totalBillableCharacters: 25 });
    expect(JSON.parse(upstream.calls[0]?.body ?? '')).toEqual({
      instances: [{ context: 'c', messages: [{ author: 'user', content: 'Hi' }] }],
    });
    expect(upstream.calls[0]?.url).toMatch(/:countTokens$/);
  });
});

describe('a streamed answer', () => {
  it('may come as one JSON array, as this wire does without alt=sse', async () => {
    const array = `[${JSON.stringify(output(prediction('a')), null, 2)}\n,\n${JSON.stringify(output(prediction('b')))}\n]`;
    const { text, code } = await answered((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      for (let at = 0; at < array.length; at += 7) response.write(array.slice(at, at + 7));
      response.end();
    }, 'stream');
    expect({ text, code }).toEqual({ text: 'ab', code: undefined });
  });

  it('is told word by word in that framing, too', async () => {
    const words = ['one ', 'two ', 'three ', 'four'];
    const heard = words.map(() => Promise.withResolvers<void>());
    await using upstream = await startUpstream(async (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      for (const [index, word] of words.entries()) {
        response.write(`${index === 0 ? '[' : '\n,\n'}${JSON.stringify(output(prediction(word)))}`);
        // The next one is not said before this one was heard.
        await heard[index]?.promise;
      }
      response.end(']');
    });
    const model = at({ kind: 'emulator', address: upstream.address, project: 'p', location: 'eu' });
    let count = 0;
    await model.stream(REQUEST, new AbortController().signal, ({ candidates }) => {
      if (candidates[0]?.parts.length) heard[count++]?.resolve();
    });
    await model.close();
    expect(count).toBe(words.length);
  });

  it('that is cut is no answer', async () => {
    const { text, code } = await answered((response) => {
      asStream(response).write(event(output(prediction('half'))), () => response.destroy());
    }, 'stream');
    expect({ text, code }).toEqual({ text: 'half', code: 'model_protocol_error' });
  });

  it('that falls silent is given up', async () => {
    const script: Script = (response) => void asStream(response).write(event(output(prediction('half'))));
    const { code } = await within(5000, 'given up', answered(script, 'stream', { idleTimeoutMs: 100 }));
    expect(code).toBe('model_timeout');
  });

  it('ends with what an error in its middle means', async () => {
    const error = { error: { code: 503, status: 'UNAVAILABLE', message: 'later' } };
    const { text, code } = await answered((response) => {
      asStream(response).end(event(output(prediction('half'))) + JSON.stringify(error, null, 2));
    }, 'stream');
    expect({ text, code }).toEqual({ text: 'half', code: 'model_error' });
  });
});

describe.each(WAYS)('an error (%s)', (way) => {
  it.each<[number, string, string]>([
    [400, 'INVALID_ARGUMENT', 'unsupported_by_model'],
    [404, 'NOT_FOUND', 'unsupported_by_model'],
    [403, 'PERMISSION_DENIED', 'model_error'],
    [429, 'RESOURCE_EXHAUSTED', 'model_overloaded'],
    [500, 'INTERNAL', 'model_error'],
    [504, 'DEADLINE_EXCEEDED', 'model_timeout'],
  ])('%i %s is %s, as on the other wire', async (status, reason, code) => {
    const body = { error: { code: status, status: reason, message: 'Words of the model.' } };
    const outcome = await answered((response) => asJson(response, status, body), way, { retriesMax: 0 });
    expect(outcome.code).toBe(code);
    if (code === 'unsupported_by_model') expect(outcome.error?.message).toBe('Words of the model.');
  });
});

describe('before any call', () => {
  it('an API key is refused, since this wire is on Vertex AI alone', async () => {
    const model = at({ kind: 'gemini-api', apiKey: 'k' });
    expect(() => model.check(REQUEST)).toThrow(expect.objectContaining({ code: 'unsupported_by_model' }));
    await model.close();
  });

  it('the service says so with 422, and makes no turn', async () => {
    await using upstream = await startUpstream(says('never'));
    await using service = await startService({ GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: upstream.url });
    const client = new Client(service.url);
    const path = await client.session({ model: 'chat-bison' });
    for (const way of ['/messages', '/messages/stream', '/count-tokens']) {
      expect(await client.post(`${path}${way}`, { message: 'Hi' })).toMatchObject({
        status: 422,
        json: { code: 'unsupported_by_model' },
      });
    }
    expect(upstream.calls).toEqual([]);
  });
});

describe('the legacy wire is spoken by', () => {
  it.each<[string, boolean]>([
    ['chat-bison', true],
    ['chat-bison@002', true],
    ['chat-bison-32k@002', true],
    ['publishers/google/models/chat-bison@001', true],
    ['tuned', true],
    ['tuned-7', true],
    ['projects/p/locations/eu/endpoints/123', true],
    ['projects/p/locations/eu/endpoints/456', false],
    ['gemini-3-pro', false],
    ['my-chat-bison', false],
    ['projects/p/locations/eu/endpoints/1234', false],
    ['zed', true],
    ['publishers/google/models/zed-2', true],
    ['projects/p/locations/eu/publishers/google/models/tuned-3', true],
    ['publishers/other/models/tuned', false],
  ])('%s: %s', (model, isSpoken) => {
    expect(
      speaksPredict(model, ['tuned', 'projects/p/locations/eu/endpoints/123', 'publishers/google/models/zed']),
    ).toBe(isSpoken);
  });

  it('what PREDICT_MODELS lists, beside Gemini in one service; a session may move from one to the other', async () => {
    await using upstream = await startUpstream((response, call) => {
      if (/predict/i.test(call.url)) return says('Legacy.')(response, call);
      return asJson(response, 200, {
        candidates: [{ content: { parts: [{ text: 'Gemini.' }] }, finishReason: 'STOP' }],
      });
    });
    const env = { VERTEX_AI_EMULATOR_HOST: upstream.address, PREDICT_MODELS: 'old-model, tuned' };
    await using service = await startService(env);
    const client = new Client(service.url);
    const path = await client.session({ model: 'tuned-7' });
    const send = async (message: string) => (await client.post(`${path}/messages`, { message })).json.text;
    expect(await send('One?')).toBe('Legacy.');
    await client.patch(path, { model: 'gemini-3-pro' });
    expect(await send('Two?')).toBe('Gemini.');
    await client.patch(path, { model: 'old-model' });
    expect(await send('Three?')).toBe('Legacy.');
    const { instances } = JSON.parse(upstream.calls.at(-1)?.body ?? '');
    expect(instances[0].messages.map(({ content }: { content: string }) => content)).toEqual([
      'One?',
      'Legacy.',
      'Two?',
      'Gemini.',
      'Three?',
    ]);
  });
});

describe('a turn on the legacy wire', () => {
  it.each(WAYS)('that is blocked leaves the history alone, and tells the codes (%s)', async (way) => {
    const blocked = prediction('', { safetyAttributes: [{ blocked: true, errors: [253] }] });
    await using upstream = await startUpstream((response, { url }) => {
      if (isStreaming(url)) asStream(response).end(event(output(prediction('half '))) + event(output(blocked)));
      else asJson(response, 200, { predictions: [blocked] });
    });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const path = await client.session({ model: 'chat-bison' });
    const turn =
      way === 'stream'
        ? (await client.stream(path, { message: 'Hi' }).done()).terminal?.data
        : (await client.post(`${path}/messages`, { message: 'Hi' })).json;
    expect(turn).toMatchObject({ state: 'BLOCKED', isBlocked: true, blockReason: 'SAFETY', errors: [253] });
    expect(await client.history(path)).toEqual([]);
  });

  it('fails after it has begun when the history holds what the wire has no words for, and says what', async () => {
    await using upstream = await startUpstream(says('never'));
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const image = { inlineData: { mimeType: 'image/png', data: 'AA==' } };
    const path = await client.session({
      model: 'chat-bison',
      messageHistory: [
        { author: 'user', parts: [{ text: 'Look.' }, image] },
        { author: 'bot', content: 'I see.' },
      ],
    });
    const { status, json } = await client.post(`${path}/messages`, { message: 'And?' });
    expect({ status, code: json.code }).toEqual({ status: 422, code: 'unsupported_by_model' });
    expect(json.detail).toContain('inlineData');
    expect(await client.history(path)).toHaveLength(2);
    expect(upstream.calls).toEqual([]);
  });
});
