// The adapter as a whole: what it refuses before any call, and what its chunks add up to.

import { describe, expect, it } from 'vitest';
import { GeminiModel } from '../../src/adapters/gemini/gemini-model.ts';
import type { Backend } from '../../src/adapters/upstream/endpoint.ts';
import { Upstream } from '../../src/adapters/upstream/upstream.ts';
import { addChunk, NO_ANSWER } from '../../src/chat/answer.ts';
import { ChatError } from '../../src/chat/errors.ts';
import type { ModelRequest } from '../../src/chat/language-model.ts';
import { REQUEST, RULES, startModel, WAYS } from '../support/model-scene.ts';
import { asJson, asStream, event, said } from '../support/upstream.ts';

const DEVELOPER: Backend = { kind: 'gemini-api', apiKey: 'k' };
const VERTEX: Backend = { kind: 'vertex', project: 'p', location: 'global' };
const EMULATOR: Backend = { kind: 'emulator', address: '127.0.0.1:9', project: 'p', location: 'global' };

const SEARCH: Partial<ModelRequest> = { groundingSource: { type: 'vertexAiSearch', dataStoreId: 'd', location: 'eu' } };
const LABELS: Partial<ModelRequest> = { settings: { labels: { team: 'a' } } };

async function refusal(backend: Backend, given: Partial<ModelRequest>): Promise<ChatError | undefined> {
  const model = new GeminiModel(new Upstream(backend, RULES, () => 0));
  try {
    model.check({ ...REQUEST, ...given });
    return undefined;
  } catch (error) {
    if (error instanceof ChatError) return error;
    throw error;
  } finally {
    await model.close();
  }
}

describe('before any call', () => {
  it.each<[string, Partial<ModelRequest>]>([
    ['vertexAiSearch', SEARCH],
    ['labels', LABELS],
  ])('the Developer API refuses %s, by name, and the others take it', async (name, given) => {
    const error = await refusal(DEVELOPER, given);
    expect(error).toMatchObject({ code: 'unsupported_by_model', retryable: false });
    expect(error?.message).toContain(name);
    expect(await refusal(VERTEX, given)).toBeUndefined();
    expect(await refusal(EMULATOR, given)).toBeUndefined();
  });

  it('a model that the backend cannot address is refused', async () => {
    const model = 'projects/p/locations/eu/endpoints/1';
    expect(await refusal(DEVELOPER, { model })).toMatchObject({ code: 'unsupported_by_model' });
    expect(await refusal(VERTEX, { model })).toBeUndefined();
  });

  it('an ordinary request, and a search in the web, are refused by none', async () => {
    for (const backend of [DEVELOPER, VERTEX, EMULATOR]) {
      expect(await refusal(backend, {})).toBeUndefined();
      expect(await refusal(backend, { groundingSource: { type: 'webSearch' } })).toBeUndefined();
    }
  });
});

describe('the chunks of a stream', () => {
  it('come one for one as the model says them, and add up to the answer', async () => {
    const values = [
      { ...said('a'), usageMetadata: { trafficType: 'ON_DEMAND' }, modelVersion: 'm-001' },
      { ...said('b'), usageMetadata: { promptTokenCount: 3, totalTokenCount: 4 } },
      { candidates: [{ content: { role: 'model' }, finishReason: 'STOP' }], usageMetadata: { totalTokenCount: 9 } },
      { usageMetadata: { candidatesTokenCount: 6 } },
    ];
    await using scene = await startModel((response) => asStream(response).end(values.map(event).join('')));
    const { chunks } = await scene.ask('stream');
    expect(chunks).toHaveLength(4);
    expect(chunks.reduce(addChunk, NO_ANSWER)).toEqual({
      candidates: [{ index: 0, parts: [{ text: 'ab' }], finishReason: 'STOP' }],
      usage: { promptTokens: 3, outputTokens: 6, totalTokens: 9 },
      modelVersion: 'm-001',
    });
  });

  it('are read to the end of the body, also after a reason to finish', async () => {
    const text = event(said('a', 'STOP')) + event(said('b', 'STOP')) + event(said('c', 'STOP'));
    await using scene = await startModel((response) => asStream(response).end(text));
    expect(await scene.ask('stream')).toMatchObject({ text: 'abc' });
  });

  it('come before the error that follows them in the same bytes', async () => {
    const text = `${event(said('a'))}${event(said('b'))}data: {"c`;
    await using scene = await startModel((response) => asStream(response).end(text));
    expect(await scene.ask('stream')).toMatchObject({ text: 'ab', code: 'model_protocol_error' });
  });
});

describe.each(WAYS)('an answer without attribution (%s)', (way) => {
  const groundingMetadata = { webSearchQueries: ['q'], groundingChunks: [{ web: { uri: 'u' } }] };
  const candidate = { content: { parts: [{ text: 'a' }] }, finishReason: 'STOP', groundingMetadata };
  const asked = (disableAttribution?: boolean): ModelRequest => ({
    ...REQUEST,
    groundingSource: { type: 'webSearch', ...(disableAttribution === undefined ? {} : { disableAttribution }) },
  });

  it('is given where it was asked for, and only there', async () => {
    await using scene = await startModel((response, { isStream }) => {
      const value = { candidates: [candidate] };
      return isStream ? asStream(response).end(event(value)) : asJson(response, 200, value);
    });
    for (const [disable, has] of [
      [true, false],
      [false, true],
      [undefined, true],
    ] as const) {
      const { chunks } = await scene.ask(way, undefined, asked(disable));
      expect('groundingMetadata' in (chunks[0]?.candidates[0] ?? {})).toBe(has);
    }
  });
});
