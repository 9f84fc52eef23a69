// What answers have in common: the same for the same request, within the limits asked for, and nothing left after close.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import {
  candidatesIn,
  chunksIn,
  DEVELOPER,
  documentIn,
  errorIn,
  model,
  partsIn,
  post,
  saidIn,
  stream,
  unary,
  user,
  VERTEX,
} from './ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

describe('an answer', () => {
  test('is byte for byte the same for the same request, also from another process', async () => {
    const other = await startEmulator({ chunkDelayMs: 0 });
    const [first, second] = [await stream(emulator.address, 'Why?'), await stream(other.address, 'Why?')];
    await other.close();
    expect(second.text).toBe(first.text);
  });

  test('is the same whether it is streamed or not', async () => {
    const question = 'What is a proxy? [[thoughts]]';
    const streamed = chunksIn(await stream(emulator.address, question));
    const document = documentIn(await unary(emulator.address, question));
    expect(saidIn(streamed)).toBe(saidIn([document]));
    expect(streamed.at(-1)?.usageMetadata).toEqual(document.usageMetadata);
    expect(streamed.at(-1)?.responseId).toBe(document.responseId);
  });

  test('says what was asked and how much history came with it', async () => {
    const contents = [user('Hello'), model('Hi'), user('What is a proxy?')];
    const document = documentIn(await post(emulator.address, `${VERTEX}/m:generateContent`, { contents }));
    expect(saidIn([document])).toMatch(/“What is a proxy\?”.*2 earlier messages/s);
  });

  test('comes in several pieces, and tells its usage and its reason only with the last one', async () => {
    const chunks = chunksIn(await stream(emulator.address, 'What is a proxy?'));
    expect(chunks.length).toBeGreaterThan(5);
    for (const chunk of chunks.slice(0, -1)) {
      expect(chunk.usageMetadata).toEqual({ trafficType: 'ON_DEMAND' });
      expect(chunk.candidates?.[0]).not.toHaveProperty('finishReason');
    }
    const last = chunks.at(-1);
    expect(last?.candidates?.[0]).toMatchObject({ finishReason: 'STOP', avgLogprobs: expect.any(Number) });
    expect(last?.candidates?.[0]?.safetyRatings?.[0]).toHaveProperty('probabilityScore');
    const { promptTokenCount, candidatesTokenCount, totalTokenCount } = last?.usageMetadata ?? {};
    expect(Number(promptTokenCount) + Number(candidatesTokenCount)).toBe(totalTokenCount);
  });

  test('has what only Vertex tells on Vertex paths, also in express mode and at endpoints, and not on the Developer API', async () => {
    const body = { contents: [user('Hi')] };
    const vertexPaths = [VERTEX, '/v1/publishers/google/models', '/v1beta1/projects/p/locations/l/endpoints'];
    for (const path of [...vertexPaths, DEVELOPER, '/v1beta/tunedModels']) {
      const document = documentIn(await post(emulator.address, `${path}/m:generateContent`, body));
      const isVertex = vertexPaths.includes(path);
      expect('createTime' in document, path).toBe(isVertex);
      expect('trafficType' in (document.usageMetadata ?? {}), path).toBe(isVertex);
      expect('probabilityScore' in (document.candidates?.[0]?.safetyRatings?.[0] ?? {}), path).toBe(isVertex);
    }
  });

  test('is one streamed JSON array without alt=sse, and so is an error', async () => {
    const path = `${VERTEX}/m:streamGenerateContent`;
    const contents = [user('Hi')];
    const answer = await post(emulator.address, path, { contents });
    expect(answer.text.startsWith('[{\n')).toBe(true);
    expect(saidIn(JSON.parse(answer.text))).toBe(saidIn([documentIn(await unary(emulator.address, 'Hi', {}, 'm'))]));
    expect(JSON.parse((await post(emulator.address, path, {})).text)[0].error.code).toBe(400);
  });
});

describe('the settings', () => {
  test('candidateCount gives that many different candidates, taking turns in a stream', async () => {
    const chunks = chunksIn(await stream(emulator.address, 'Why?', { generationConfig: { candidateCount: 8 } }));
    expect(chunks.slice(0, 8).map((chunk) => chunk.candidates?.[0]?.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(Array.from({ length: 8 }, (_, index) => saidIn(chunks, index))).size).toBe(8);
    for (let index = 0; index < 8; index++) expect(candidatesIn(chunks, index).at(-1)?.finishReason).toBe('STOP');
    expect(chunks.filter((chunk) => chunk.usageMetadata?.totalTokenCount !== undefined)).toEqual([chunks.at(-1)]);
  });

  test('maxOutputTokens ends the answer with MAX_TOKENS, and a larger one does not', async () => {
    const short = documentIn(await unary(emulator.address, 'Why?', { generationConfig: { maxOutputTokens: 5 } }));
    expect(Array.from(saidIn([short]))).toHaveLength(20);
    expect(short.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
    expect(short.usageMetadata?.candidatesTokenCount).toBe(5);
    const whole = documentIn(await unary(emulator.address, 'Why?', { generation_config: { max_output_tokens: 5000 } }));
    expect(whole.candidates?.[0]?.finishReason).toBe('STOP');
  });

  test('maxOutputTokens counts characters and never cuts one in two', async () => {
    for (const maxOutputTokens of [8, 9, 10, 11]) {
      const answer = await unary(emulator.address, '🚀'.repeat(60), { generationConfig: { maxOutputTokens } });
      const text = saidIn([documentIn(answer)]);
      expect([text.isWellFormed(), Array.from(text).length]).toEqual([true, 4 * maxOutputTokens]);
    }
  });

  test('stopSequences end the answer before them with STOP, even before its first word', async () => {
    const settings = { generationConfig: { stopSequences: ['zzz', 'I saw'] } };
    const [chunks, document] = [
      chunksIn(await stream(emulator.address, 'Why?', settings)),
      documentIn(await unary(emulator.address, 'Why?', settings)),
    ];
    expect(saidIn(chunks)).toMatch(/Before it $/);
    expect(saidIn([document])).toBe(saidIn(chunks));
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP');
    const nothing = chunksIn(
      await stream(emulator.address, 'Why?', { generationConfig: { stopSequences: ['“', ' ', 'e'] } }),
    );
    expect(nothing.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP');
  });

  test('responseMimeType application/json gives JSON, shaped by the schema when there is one', async () => {
    const plain = await unary(emulator.address, 'Why?', { generationConfig: { responseMimeType: 'application/json' } });
    expect(JSON.parse(saidIn([documentIn(plain)]))).toMatchObject({ question: 'Why?', earlierMessages: 0 });
    const responseJsonSchema = {
      type: 'object',
      properties: { n: { type: 'integer' }, tags: { type: 'array', items: { enum: ['a'] } } },
    };
    const shaped = await unary(emulator.address, 'Why?', {
      generationConfig: { responseMimeType: 'application/json', responseJsonSchema },
    });
    expect(JSON.parse(saidIn([documentIn(shaped)]))).toEqual({ n: 1, tags: ['a'] });
  });

  test('includeThoughts puts thoughts first and a signature on the last text part', async () => {
    const chunks = chunksIn(
      await stream(emulator.address, 'Why?', { generationConfig: { thinkingConfig: { includeThoughts: true } } }),
    );
    const parts = partsIn(chunks);
    expect(parts.findLastIndex((part) => part.thought)).toBe(parts.findIndex((part) => !part.thought) - 1);
    expect(parts.filter((part) => part.thoughtSignature)).toEqual([parts.at(-1)]);
    expect(chunks.at(-1)?.usageMetadata?.thoughtsTokenCount).toBeGreaterThan(0);
  });

  test('googleSearch gives grounding whose byte offsets point into the text', async () => {
    const chunks = chunksIn(await stream(emulator.address, 'Grüße?', { tools: [{ googleSearch: {} }] }));
    const bytes = Buffer.from(saidIn(chunks));
    const grounding = chunks.at(-1)?.candidates?.[0]?.groundingMetadata;
    expect(grounding).toMatchObject({
      webSearchQueries: ['Grüße?'],
      searchEntryPoint: { renderedContent: expect.any(String) },
    });
    const supports = grounding?.groundingSupports as {
      segment: { startIndex?: number; endIndex: number; text: string };
    }[];
    expect(supports.length).toBeGreaterThan(1);
    for (const { segment } of supports)
      expect(bytes.subarray(segment.startIndex ?? 0, segment.endIndex).toString()).toBe(segment.text);
  });

  test('retrieval gives retrieved contexts on Vertex', async () => {
    const tools = [
      { retrieval: { vertexAiSearch: { datastore: 'projects/p/locations/l/collections/c/dataStores/d' } } },
    ];
    const document = documentIn(await unary(emulator.address, 'Why?', { tools }));
    expect(document.candidates?.[0]?.groundingMetadata).toMatchObject({
      groundingChunks: [{ retrievedContext: {} }, {}],
    });
  });
});

describe('counting tokens', () => {
  test('tells totals for a history that ends anywhere, and billable characters on Vertex only', async () => {
    const contents = [user('Hello there'), model('Hi')];
    const vertex = await post(emulator.address, `${VERTEX}/m:countTokens`, { contents });
    expect(JSON.parse(vertex.text)).toEqual({
      totalTokens: 4,
      totalBillableCharacters: 12,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 4 }],
    });
    const developer = await post(emulator.address, `${DEVELOPER}/m:countTokens`, {
      generateContentRequest: { model: 'models/m', contents },
    });
    expect(JSON.parse(developer.text)).toEqual({
      totalTokens: 4,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 4 }],
    });
  });
});

describe('the server', () => {
  test('is alive at /livez and knows no other page or method', async () => {
    expect((await fetch(`http://${emulator.address}/livez`)).status).toBe(200);
    for (const path of [
      '/',
      '/v1/models',
      `${DEVELOPER}/m:predict`,
      `${DEVELOPER}/m:serverStreamingPredict`,
      `${VERTEX}/m:deleteContent`,
      '/models/%zz:generateContent',
    ]) {
      const answer = await post(emulator.address, path, { contents: [user('Hi')] });
      expect([path, answer.status, errorIn(answer).status]).toEqual([path, 404, 'NOT_FOUND']);
    }
    expect((await fetch(`http://${emulator.address}${VERTEX}/m:generateContent`)).status).toBe(404);
  });

  test('refuses a body that is no JSON, no object, or over 32 MiB', async () => {
    for (const body of [
      '{"contents":',
      '[]',
      '"x"',
      JSON.stringify({ contents: [user('x'.repeat(33 * 1024 * 1024))] }),
    ]) {
      const answer = await post(emulator.address, `${VERTEX}/m:generateContent`, body);
      expect([answer.status, errorIn(answer).status]).toEqual([400, 'INVALID_ARGUMENT']);
    }
  });

  test('ends every open answer when it closes, and closing again changes nothing', async () => {
    const closing = await startEmulator({ chunkDelayMs: 60_000 });
    const address = `http://${closing.address}${VERTEX}/m:streamGenerateContent?alt=sse`;
    const ask = (text: string) => fetch(address, { method: 'POST', body: JSON.stringify({ contents: [user(text)] }) });
    const unanswered = [ask('[[silence]]'), ask('[[delay:60000]]')].map((answer) => answer.catch(() => 'refused'));
    const begun = await Promise.all([ask('slow'), ask('[[stall]]')]);
    const idle = connect(closing.port, closing.host);
    await once(idle, 'connect');
    const idleEnd = once(idle, 'close');
    const bodies = begun.map((answer) => answer.text().catch(() => 'broken'));
    await closing.close();
    await closing.close();
    expect(await Promise.all([...unanswered, ...bodies])).toEqual(['refused', 'refused', 'broken', 'broken']);
    await idleEnd;
    await expect(fetch(`http://${closing.address}/livez`)).rejects.toThrow();
  });
});
