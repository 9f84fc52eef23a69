// An answer that is longer than one request may be: `CONTINUATION` is followed, at most eight times, and nobody sees it.

import { describe, expect, it } from 'vitest';
import { addChunk, NO_ANSWER } from '../../src/chat/answer.ts';
import { startEmulator } from '../../src/emulator/server.ts';
import { Client } from '../support/client.ts';
import { REQUEST, startModel, WAYS } from '../support/model-scene.ts';
import { startService } from '../support/service.ts';
import { asJson, asStream, event, type Script, said, startUpstream, type Upstream } from '../support/upstream.ts';

function continued(text: string, continuationToken?: string) {
  const [candidate] = (said(text, 'CONTINUATION') as { candidates: object[] }).candidates;
  return { candidates: [{ ...candidate, ...(continuationToken === undefined ? {} : { continuationToken }) }] };
}

/** One hop for each list of responses; unary, only the last response of a hop is sent. */
function hops(...answers: readonly (readonly object[])[]): Script {
  let requests = 0;
  return (response, call) => {
    const values = answers[Math.min(requests, answers.length - 1)] ?? [];
    requests += 1;
    if (call.isStream) asStream(response).end(values.map(event).join(''));
    else asJson(response, 200, values.at(-1));
  };
}

const THREE_HOPS = [
  [said('One, '), continued('two, ', 'token-1')],
  [said('three, '), continued('four, ', 'token/2+=')],
  [said('five, '), said('six.', 'STOP')],
];
const TEXTS = { stream: 'One, two, three, four, five, six.', generate: 'two, four, six.' };

function bodies({ calls }: Upstream): readonly Record<string, unknown>[] {
  return calls.map(({ body }) => JSON.parse(body));
}

describe.each(WAYS)('an answer of several hops (%s)', (way) => {
  it('is one answer, and only its last reason to finish is seen', async () => {
    await using scene = await startModel(hops(...THREE_HOPS));
    const { chunks, text, code } = await scene.ask(way);
    expect({ text, code }).toEqual({ text: TEXTS[way], code: undefined });
    const reasons = chunks.flatMap(({ candidates }) => candidates.flatMap(({ finishReason }) => finishReason ?? []));
    expect(reasons).toEqual(['STOP']);
  });

  it('is asked for with the same request and the token of the hop before', async () => {
    await using scene = await startModel(hops(...THREE_HOPS));
    await scene.ask(way);
    const [first, second, third] = bodies(scene.upstream);
    expect(first).not.toHaveProperty('continuationToken');
    expect(second).toEqual({ ...first, continuationToken: 'token-1' });
    expect(third).toEqual({ ...first, continuationToken: 'token/2+=' });
    expect(new Set(scene.upstream.calls.map(({ url }) => url)).size).toBe(1);
  });

  it('says that its usage is the sum of several requests, and one of a single request does not', async () => {
    await using several = await startModel(hops(...THREE_HOPS));
    const { chunks } = await several.ask(way);
    expect(chunks.reduce(addChunk, NO_ANSWER).isContinued).toBe(true);
    await using single = await startModel(hops([said('All.', 'STOP')]));
    expect((await single.ask(way)).chunks.reduce(addChunk, NO_ANSWER)).not.toHaveProperty('isContinued');
  });

  it('may have eight continuations', async () => {
    const eight = Array.from({ length: 8 }, (_, index) => [continued(`${index}`, `token-${index}`)]);
    await using scene = await startModel(hops(...eight, [said('!', 'STOP')]));
    expect(await scene.ask(way)).toMatchObject({ text: '01234567!' });
    expect(scene.upstream.calls).toHaveLength(9);
  });

  it('fails when it wants more, and is not asked for again', async () => {
    await using scene = await startModel(hops([continued('on and on ', 'token')]));
    expect(await scene.ask(way)).toMatchObject({ code: 'model_protocol_error' });
    expect(scene.upstream.calls).toHaveLength(9);
  });

  it('fails with what a later hop fails with', async () => {
    let requests = 0;
    await using scene = await startModel((response, call) => {
      requests += 1;
      if (requests === 1) return hops([continued('half ', 'token')])(response, call);
      return asJson(response, 400, { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'no such token' } });
    });
    expect(await scene.ask(way)).toMatchObject({ code: 'unsupported_by_model' });
    expect(scene.upstream.calls).toHaveLength(2);
  });

  it('costs what all its hops cost, also while it is streamed', async () => {
    const counted = (value: object, prompt: number, output: number, more: object = {}) => {
      const usageMetadata = { promptTokenCount: prompt, candidatesTokenCount: output, ...more };
      return { ...value, usageMetadata: { ...usageMetadata, totalTokenCount: prompt + output } };
    };
    const last = [
      counted(said('five, '), 12, 1),
      counted(said('six.', 'STOP'), 12, 3, { thoughtsTokenCount: 4 }),
      { usageMetadata: { cachedContentTokenCount: 5 } },
    ];
    await using scene = await startModel(
      hops(
        [counted(said('One, '), 10, 1), counted(continued('two, ', 'token'), 10, 2)],
        way === 'stream' ? last : last.slice(0, 2),
      ),
    );
    const { chunks } = await scene.ask(way);
    expect(chunks.reduce(addChunk, NO_ANSWER).usage).toEqual({
      promptTokens: 22,
      outputTokens: 5,
      totalTokens: 27,
      thoughtTokens: 4,
      ...(way === 'stream' ? { cachedTokens: 5 } : {}),
    });
    const outputs = chunks.map(({ usage }) => usage?.outputTokens);
    expect(outputs).toEqual(way === 'stream' ? [1, 2, 3, 5, 5] : [5]);
  });

  it('keeps each candidate as it had finished, when a later hop brings all of them again', async () => {
    const both = (zero: string, one: string, oneReason: string, token?: string) => ({
      candidates: [
        { index: 0, content: { parts: [{ text: zero }] }, finishReason: 'STOP' },
        {
          index: 1,
          content: { parts: [{ text: one }] },
          finishReason: oneReason,
          ...(token ? { continuationToken: token } : {}),
        },
      ],
    });
    await using scene = await startModel(hops([both('A', 'B1', 'CONTINUATION', 't')], [both('A', 'B2', 'STOP')]));
    const { chunks } = await scene.ask(way);
    const { candidates } = chunks.reduce(addChunk, NO_ANSWER);
    expect(candidates.map(({ parts, finishReason }) => [parts, finishReason])).toEqual([
      [[{ text: 'A' }], 'STOP'],
      [[{ text: 'B1B2' }], 'STOP'],
    ]);
  });

  it('is not followed without a token', async () => {
    await using scene = await startModel(hops([continued('half ')]));
    await scene.ask(way);
    expect(scene.upstream.calls).toHaveLength(1);
  });

  it('is not followed any further after an abort', async () => {
    const controller = new AbortController();
    await using scene = await startModel((response, call) => {
      controller.abort();
      return hops([continued('half ', 'token')])(response, call);
    });
    expect((await scene.ask(way, controller.signal)).code).toBeDefined();
    expect(scene.upstream.calls).toHaveLength(1);
  });
});

describe('the grounding of an answer of several hops', () => {
  it('counts from the beginning of the answer', async () => {
    const [before, quote] = ['Größe und Übermaß. ', 'Zitat, wörtlich.'];
    const start = Buffer.byteLength(before);
    const segment = { startIndex: start, endIndex: start + Buffer.byteLength(quote) };
    const groundingMetadata = {
      groundingChunks: [{ web: { uri: 'https://a' } }],
      groundingSupports: [{ segment, groundingChunkIndices: [0] }],
    };
    const last = { candidates: [{ content: { parts: [{ text: quote }] }, groundingMetadata, finishReason: 'STOP' }] };
    for (const way of WAYS) {
      await using scene = await startModel(hops([continued(before, 'token')], [last]));
      const { chunks } = await scene.ask(way);
      const citation = chunks.at(-1)?.candidates[0]?.groundingMetadata?.citations[0];
      expect((before + quote).slice(citation?.startIndex, citation?.endIndex)).toBe(quote);
    }
  });
});

describe('a turn of several hops, through the whole service,', () => {
  it.each(WAYS)('is one message of the history (%s)', async (way) => {
    await using upstream = await startUpstream(hops(...THREE_HOPS, [said('Fine.', 'STOP')]));
    await using service = await startService({ GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: upstream.url });
    const client = new Client(service.url);
    const path = await client.session({ model: REQUEST.model });
    if (way === 'stream') {
      const stream = await client.stream(path, { message: 'Count.' }).done();
      expect(stream.terminal?.event).toBe('turn.committed');
      expect(stream.answer()).toBe(TEXTS.stream);
      const finished = stream.events.filter((it) => it.event === 'candidate.finished');
      expect(finished.map(({ data }) => data.finishReason)).toEqual(['STOP']);
    } else {
      expect((await client.post(`${path}/messages`, { message: 'Count.' })).json).toMatchObject({
        state: 'COMMITTED',
        text: TEXTS.generate,
        candidates: [{ finishReason: 'STOP' }],
      });
    }
    await client.post(`${path}/messages`, { message: 'Thanks.' });
    expect(await client.history(path)).toEqual([
      ['user', 'Count.'],
      ['bot', TEXTS[way]],
      ['user', 'Thanks.'],
      ['bot', 'Fine.'],
    ]);
    expect(bodies(upstream).at(-1)).not.toHaveProperty('continuationToken');
  });

  it.each<[string, Script]>([
    ['wants more than are followed', hops([continued('on and on ', 'token')])],
    ['gives no token', hops([continued('half ')])],
    ['ends without a reason', hops([continued('half ', 'token')], [said('an answer')])],
  ])('fails and leaves the history as it was when it %s', async (_name, script) => {
    await using upstream = await startUpstream((response, call) => {
      if (call.body.includes('Again.')) return asJson(response, 200, said('Fine.', 'STOP'));
      return script(response, call);
    });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const path = await client.session({ model: REQUEST.model });
    const stream = await client.stream(path, { message: 'Count.' }).done();
    expect(stream.terminal).toMatchObject({
      event: 'turn.failed',
      data: { problem: { code: 'model_protocol_error' } },
    });
    expect(await client.history(path)).toEqual([]);
    expect((await client.post(`${path}/messages`, { message: 'Again.' })).json.state).toBe('COMMITTED');
  });

  it('is what the strict emulator takes, also in the turn after', async () => {
    const emulator = await startEmulator({ chunkDelayMs: 0 });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: emulator.address });
    const client = new Client(service.url);
    const path = await client.session({ model: 'gemini-3-pro', context: 'Be brief.', temperature: 0 });
    for (const message of ['Tell me all. [[continuation]]', 'And more. [[continuation]]']) {
      const stream = await client.stream(path, { message }).done();
      expect(stream.terminal?.event).toBe('turn.committed');
      expect(stream.answer()).not.toBe('');
    }
    const unary = await client.post(`${path}/messages`, { message: 'At last. [[continuation]]' });
    expect(unary.json.state).toBe('COMMITTED');
    expect(await client.history(path)).toHaveLength(6);
    await emulator.close();
  });
});
