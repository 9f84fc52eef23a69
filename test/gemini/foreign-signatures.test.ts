// Thought signatures after a change of the model: a signature belongs to the model that gave it.

import { describe, expect, it } from 'vitest';
import { withContents } from '../../src/adapters/gemini/gemini-contents.ts';
import type { Part } from '../../src/chat/content.ts';
import type { SaidContent } from '../../src/chat/language-model.ts';
import { startEmulator } from '../../src/emulator/server.ts';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { answer, asJson, startUpstream, type UpstreamCall } from '../support/upstream.ts';

const BYPASS = 'skip_thought_signature_validator';
const SIGNED = { text: 'Yes.', thoughtSignature: 'c2lnbmVk' };

function user(...parts: readonly Part[]): SaidContent {
  return { author: 'user', parts };
}

function bot(model: string | undefined, ...parts: readonly Part[]): SaidContent {
  return { author: 'bot', parts, ...(model === undefined ? {} : { model }) };
}

/** As the upstream reads it. */
function wire(model: string, contents: readonly SaidContent[]): readonly { role: string; parts: readonly Part[] }[] {
  return JSON.parse(Buffer.from(withContents('', { model, examples: [], contents, settings: {} }, '')).toString());
}

/** What the model gets of the bot's contents. */
function sent(model: string, ...contents: readonly SaidContent[]) {
  return wire(model, [...contents, user({ text: 'Go on.' })])
    .filter(({ role }) => role === 'model')
    .map(({ parts }) => parts);
}

describe('a signature goes back', () => {
  it.each<[string, string | undefined]>([
    ['to the model that gave it', 'gemini-3-pro'],
    ['to the same model under its path', 'publishers/google/models/gemini-3-pro'],
    ['to the same model in its project', 'projects/p/locations/eu/publishers/google/models/gemini-3-pro'],
    ['where nobody knows who gave it', undefined],
  ])('%s', (_whom, model) => {
    expect(sent('gemini-3-pro', user({ text: 'Sure?' }), bot(model, SIGNED))).toEqual([[SIGNED]]);
  });
});

describe('a signature of another model', () => {
  it('is left out, and nothing else of its part', () => {
    const call = { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'eA==' };
    const thought = { text: 'hm', thought: true, thoughtSignature: 'eQ==' };
    const contents = [user({ text: 'a' }), bot('other', thought, SIGNED, call), user({ functionResponse: {} })];
    const later = [bot('gemini-3-pro', SIGNED), user({ text: 'b' })];
    expect(sent('gemini-3-pro', ...contents, ...later)).toEqual([
      [{ text: 'hm', thought: true }, { text: 'Yes.' }, { functionCall: { name: 'f', args: { a: 1 } } }],
      [SIGNED],
    ]);
  });

  it('leaves no empty part behind', () => {
    const parts = [{ text: 'Yes.' }, { text: '', thoughtSignature: 'eA==' }];
    expect(sent('gemini-3-pro', user({ text: 'a' }), bot('other', ...parts))).toEqual([[{ text: 'Yes.' }]]);
  });

  it.each<[string, string | undefined]>([
    ['gemini-3-pro', BYPASS],
    ['publishers/google/models/gemini-3.5-flash', BYPASS],
    ['gemini-2.5-pro', undefined],
    ['gemini-1.5-pro', undefined],
    ['gemini-2.0-flash-001', undefined],
    ['gemini-flash-latest', BYPASS],
    ['projects/p/locations/eu/endpoints/77', BYPASS],
  ])('on a call that is still open: for %s it becomes %s', (model, thoughtSignature) => {
    const calls = ['f', 'g'].map((name) => ({ functionCall: { name }, thoughtSignature: 'eA==' }));
    const responses = ['f', 'g'].map((name) => ({ functionResponse: { name, response: {} } }));
    const contents = [user({ text: 'Call.' }), bot('other', ...calls), user(...responses)];
    const [, said] = wire(model, contents);
    expect(said?.parts).toEqual([
      { functionCall: { name: 'f' }, ...(thoughtSignature ? { thoughtSignature } : {}) },
      { functionCall: { name: 'g' } },
    ]);
  });
});

describe('a session whose model was changed', () => {
  it('goes on, on the strict emulator, also in the middle of a call', async () => {
    const emulator = await startEmulator({ chunkDelayMs: 0 });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: emulator.address });
    const client = new Client(service.url);
    const tools = [{ functionDeclarations: [{ name: 'lookup' }] }];
    const thinkingConfig = { includeThoughts: true };
    const path = await client.session({ model: 'gemini-3-pro', tools, thinkingConfig });
    const send = async (body: object) => {
      const { json } = await client.post(`${path}/messages`, body);
      expect(json.state, JSON.stringify(json)).toBe('COMMITTED');
      return json;
    };
    expect(JSON.stringify(await send({ message: 'Think.' }))).toContain('thoughtSignature');
    await client.patch(path, { model: 'gemini-3-flash' });
    await send({ message: 'Think again.' });
    const called = await send({ message: 'Look it up. [[call:lookup]]' });
    expect(called.candidates[0].parts.some((part: Part) => part.functionCall)).toBe(true);
    await client.patch(path, { model: 'gemini-3-pro' });
    await send({ parts: [{ functionResponse: { name: 'lookup', response: { found: 1 } } }] });
    await client.patch(path, { model: 'gemini-3-flash' });
    await send({ message: 'And back.' });
    await emulator.close();
  });

  it('keeps its history: the parts are still stored with their signatures, and go back to their model', async () => {
    const parts = [{ text: 'Yes.', thoughtSignature: 'c2ln+/w==' }];
    const bodies: UpstreamCall[] = [];
    await using upstream = await startUpstream((response, call) => {
      bodies.push(call);
      return call.model === 'a'
        ? asJson(response, 200, { candidates: [{ content: { parts }, finishReason: 'STOP' }] })
        : answer(response, call, 'b says');
    });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const path = await client.session({ model: 'a' });
    for (const model of ['a', 'b', 'a']) {
      await client.patch(path, { model });
      await client.post(`${path}/messages`, { message: model });
    }
    const [, toB, toA] = bodies.map(({ body }) => body);
    expect(toB).not.toContain('thoughtSignature');
    expect(toA).toContain(JSON.stringify(parts));
    const { json } = await client.get(`${path}/messages`);
    expect(json.messages[1].parts).toEqual(parts);
    expect(json.messages[1]).not.toHaveProperty('model');
  });

  it('takes signatures that came with its creation for those of the model it began with', async () => {
    const parts = [{ text: 'Yes.', thoughtSignature: 'c2ln' }];
    await using upstream = await startUpstream((response, call) => answer(response, call, 'Fine.'));
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
    const client = new Client(service.url);
    const messageHistory = [
      { author: 'user', content: 'Sure?' },
      { author: 'bot', parts },
    ];
    const path = await client.session({ model: 'a', messageHistory });
    await client.post(`${path}/messages`, { message: 'one' });
    await client.patch(path, { model: 'b' });
    await client.post(`${path}/messages`, { message: 'two' });
    expect(upstream.calls.map(({ body }) => body.includes('thoughtSignature'))).toEqual([true, false]);
  });
});
