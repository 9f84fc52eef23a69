// `contextWindow` of a session, on two replicas over one Redis: what is refused, what is left out of a request, and that
// nothing is ever left out of the history.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, Client } from '../support/client.ts';
import { type ShoutingReplicas, startShouting } from '../support/shouting-model.ts';

let replicas: ShoutingReplicas;
let a: Client;
let b: Client;

beforeEach(async () => {
  replicas = await startShouting();
  ({ here: a, there: b } = replicas);
});

afterEach(async () => {
  replicas.check();
  await replicas[Symbol.asyncDispose]();
});

async function talk(path: string, ...messages: readonly string[]): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const message of messages) answers.push(await a.post(`${path}/messages`, { message }));
  return answers;
}

const refusal = ({ status, json }: Pick<Answer, 'status' | 'json'>) => [status, json.code];

describe('a window that rejects', () => {
  it('refuses by default, before the model is asked, and makes no turn', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 3 } });
    await talk(path, 'one', 'two');
    const [before, calls] = [(await a.get(path)).json, replicas.asked.length];
    expect(before.contextWindow).toEqual({ maxMessages: 3, onOverflow: 'reject' });
    const refused = await b.post(`${path}/messages`, { message: 'three', turnId: 'it' });
    expect(refusal(refused)).toEqual([409, 'history_full']);
    expect(refused.json).toMatchObject({
      retryable: false,
      detail: expect.stringMatching(/5 messages.*maxMessages is 3/),
    });
    for (const header of ['turn-id', 'location', 'retry-after']) expect(refused.headers).not.toHaveProperty(header);
    const stream = await b.stream(path, { message: 'three', turnId: 'it' }).done();
    expect(refusal(stream)).toEqual([409, 'history_full']);
    expect((await a.get(`${path}/turns/it`)).status).toBe(404);
    expect([(await a.get(path)).json, replicas.asked.length]).toEqual([before, calls]);
  });

  it('lets a rewind make room', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 3 } });
    await talk(path, 'one', 'two');
    await b.post(`${path}/rewind`, { toLength: 2 });
    expect((await b.post(`${path}/messages`, { message: 'three' })).json.sent).toEqual({
      messages: 3,
      omittedMessages: 0,
    });
  });

  it('goes by what the model has reported, and by the size of what is new', async () => {
    const path = await a.session({ context: 'abcd', contextWindow: { maxTokens: 40 } });
    // 4 + 9 + 9 of 22 characters: one token each, although four are to be expected for one.
    await talk(path, 'word word');
    expect(refusal(await b.post(`${path}/messages`, { message: 'x'.repeat(19) }))).toEqual([409, 'history_full']);
    const { json } = await b.post(`${path}/messages`, { message: 'x'.repeat(18) });
    expect([json.state, json.usage.promptTokens]).toEqual(['COMMITTED', 40]);
    const full = await a.post(`${path}/messages`, { message: 'x' });
    expect(full.json.detail).toMatch(/59 tokens, as estimated; contextWindow.maxTokens is 40/);
  });
});

describe('a window that trims', () => {
  it('leaves out the oldest exchanges, says so everywhere, and keeps the history whole', async () => {
    const examples = [{ input: 'in', output: 'out' }];
    const contextWindow = { maxMessages: 4, onOverflow: 'trimOldest' };
    const path = await a.session({ context: 'Be loud.', examples, contextWindow });
    await talk(path, 'one', 'two');
    const stream = await a.stream(path, { message: 'three', turnId: 'it' }).done();
    const sent = { messages: 3, omittedMessages: 2 };
    expect(replicas.askedTexts).toEqual(['in', 'out', 'two', 'TWO', 'three']);
    expect(replicas.asked.at(-1)?.systemInstruction?.parts).toEqual([{ text: 'Be loud.' }]);
    expect(stream.types.at(-1)).toBe('turn.committed');
    for (const { data } of [stream.events[0], stream.terminal].filter((one) => one !== undefined)) {
      expect(data.sent).toEqual(sent);
    }
    for (const client of [a, b]) expect((await client.get(`${path}/turns/it`)).json.sent).toEqual(sent);
    const again = await b.events(`${path}/turns/it/events`).done();
    expect(again.events.map(({ data }) => data.sent)).toEqual(stream.events.map(({ data }) => data.sent));
    expect((await b.post(`${path}/messages`, { message: 'four' })).json.sent).toEqual({
      messages: 3,
      omittedMessages: 4,
    });
    const words = ['one', 'two', 'three', 'four'].flatMap((word) => [word, word.toUpperCase()]);
    expect((await b.history(path)).map(([, text]) => text)).toEqual(words);
    expect((await b.get(path)).json).toMatchObject({ messageCount: 8, version: 5 });
  });

  it('by tokens sends as much as is believed to fit', async () => {
    const path = await a.session({ contextWindow: { maxTokens: 24, onOverflow: 'trimOldest' } });
    const answers = await talk(path, 'aaaa', 'bbbb', 'cccc', 'dddd', 'eeee');
    expect(answers.map(({ json }) => json.sent)).toEqual([
      { messages: 1, omittedMessages: 0 },
      { messages: 3, omittedMessages: 0 },
      { messages: 5, omittedMessages: 0 },
      { messages: 5, omittedMessages: 2 },
      { messages: 5, omittedMessages: 4 },
    ]);
    expect(answers.map(({ json }) => json.usage.promptTokens)).toEqual([4, 12, 20, 20, 20]);
    expect(replicas.askedTexts).toEqual(['cccc', 'CCCC', 'dddd', 'DDDD', 'eeee']);
    const tooMuch = await a.post(`${path}/messages`, { message: 'f'.repeat(25) });
    expect(refusal(tooMuch)).toEqual([409, 'history_full']);
    expect(tooMuch.json.detail).toMatch(/25 tokens, as estimated, with as much of the history left out as can be/);
  });

  it('never parts a call from its response', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 4, onOverflow: 'trimOldest' } });
    await talk(path, 'one', 'call');
    const parts = [{ functionResponse: { name: 'f', response: {} } }];
    // The response needs its call and the question before it, and no more fits.
    expect((await b.post(`${path}/messages`, { parts })).json.sent).toEqual({ messages: 3, omittedMessages: 2 });
    // 'call', the call, its response and its answer are one exchange: it does not fit beside the question.
    expect((await b.post(`${path}/messages`, { message: 'two' })).json.sent).toEqual({
      messages: 1,
      omittedMessages: 6,
    });
    expect(replicas.askedTexts).toEqual(['two']);
    expect((await a.get(path)).json.messageCount).toBe(8);
  });

  it('refuses what does not fit even so', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 2, onOverflow: 'trimOldest' } });
    await talk(path, 'call');
    const parts = [{ functionResponse: { name: 'f', response: {} } }];
    expect(refusal(await b.post(`${path}/messages`, { parts }))).toEqual([409, 'history_full']);
    await b.patch(path, { contextWindow: { maxMessages: 3 } });
    expect((await b.post(`${path}/messages`, { parts })).json.sent).toEqual({ messages: 3, omittedMessages: 0 });
  });

  it('trims what is counted, where the next request is trimmed', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 4, onOverflow: 'trimOldest' } });
    await talk(path, 'one', 'two');
    expect((await b.post(`${path}/count-tokens`, { message: 'x' })).json.totalTokens).toBe('twoTWOx'.length);
    expect((await b.post(`${path}/count-tokens`, {})).json.totalTokens).toBe('twoTWO'.length);
    await b.patch(path, { contextWindow: { onOverflow: 'reject' } });
    expect((await b.post(`${path}/count-tokens`, { message: 'x' })).json.totalTokens).toBe('oneONEtwoTWOx'.length);
  });
});

describe('a window that is changed', () => {
  it('takes effect with the next turn, member by member, and ends when it is removed', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 1, maxTokens: 1000 } });
    await talk(path, 'one');
    const change = async (contextWindow: object | null) => (await b.patch(path, { contextWindow })).json;
    expect((await change({ onOverflow: 'trimOldest' })).contextWindow).toEqual({
      ...{ maxMessages: 1, maxTokens: 1000, onOverflow: 'trimOldest' },
    });
    const [two] = await talk(path, 'two');
    expect(two?.json.sent).toEqual({ messages: 1, omittedMessages: 2 });
    expect((await change({ maxMessages: null })).contextWindow).toEqual({ maxTokens: 1000, onOverflow: 'trimOldest' });
    const [three] = await talk(path, 'three');
    expect(three?.json.sent).toEqual({ messages: 5, omittedMessages: 0 });
    const settled = await change({ onOverflow: null });
    expect(settled.contextWindow).toEqual({ maxTokens: 1000, onOverflow: 'reject' });
    // Once more is no change.
    expect(await change({ onOverflow: 'reject' })).toEqual(settled);
    expect(await change(null)).not.toHaveProperty('contextWindow');
    const [four] = await talk(path, 'four');
    expect(four?.json.sent).toEqual({ messages: 7, omittedMessages: 0 });
  });

  it('is estimated by the figures of turns before it, which nobody is shown', async () => {
    const path = await a.session();
    await talk(path, 'word word');
    await b.patch(path, { contextWindow: { maxTokens: 19, onOverflow: 'trimOldest' } });
    // 18 characters as 18 tokens, and two more: without the figures it would be 5.
    expect((await b.post(`${path}/messages`, { message: 'xx' })).json.sent).toEqual({
      messages: 1,
      omittedMessages: 2,
    });
    const { messages } = (await b.get(`${path}/messages`)).json;
    const fields = ['author', 'content', 'createTime', 'id', 'parts', 'turnId'];
    for (const message of messages) expect(Object.keys(message).sort()).toEqual(fields);
  });
});
