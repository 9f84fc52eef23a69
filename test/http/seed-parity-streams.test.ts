// send_message_streaming and the async methods of the seed: what a stream brings, when the history has it, how several
// candidates share one stream.

import { describe, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { asStream, event, said } from '../support/upstream.ts';
import { isStreamed, MODELS, output, says, startWires, tensorOf, WIRES, wholeTexts } from '../support/wires.ts';

const chunk = {
  gemini: (text: string, isLast: boolean) => said(text, isLast ? 'STOP' : undefined),
  predict: (content: string) =>
    output({ candidates: [{ author: '1', content }], safetyAttributes: [{ blocked: false }] }),
};

describe.each(WIRES)('a stream on the %s wire', (wire) => {
  test('enters the history only once the answer is complete', async () => {
    const gate = Promise.withResolvers<void>();
    await using scene = await startWires(async (response) => {
      asStream(response).write(event(chunk[wire]('One ', false)));
      await gate.promise;
      response.end(event(chunk[wire]('and two.', true)));
    });
    const { client } = scene;
    const path = await client.session({ model: MODELS[wire] });
    const stream = client.stream(path, { message: 'Count.' });
    await stream.until('the first words are read', () => stream.answer() === 'One ');
    expect(await client.history(path)).toEqual([]);
    gate.resolve();
    await stream.until('the commit is told', ({ terminal }) => terminal !== undefined);
    expect(stream.terminal?.event).toBe('turn.committed');
    expect(await client.history(path)).toEqual([
      ['user', 'Count.'],
      ['bot', 'One and two.'],
    ]);
    await stream.done();
  });

  test('brings what is new with every event, which together are the answer', async () => {
    await using scene = await startWires(says([['1. 2. '], ['3. '], ['4.']]));
    const path = await scene.client.session({ model: MODELS[wire] });
    const stream = await scene.client.stream(path, { message: 'Count.' }).done();
    const deltas = stream.events.filter((it) => it.event === 'candidate.delta').map(({ data }) => data);
    expect(deltas).toEqual(['1. 2. ', '3. ', '4.'].map((text) => ({ index: 0, text })));
    expect((await scene.client.history(path)).at(-1)).toEqual(['bot', '1. 2. 3. 4.']);
  });

  test.each(['a cut', 'an error'])('leaves neither question nor half an answer after %s', async (how) => {
    const error = { error: { code: 503, status: 'UNAVAILABLE', message: 'later' } };
    await using scene = await startWires((response) => {
      asStream(response).write(event(chunk[wire]('half ', false)), () => {
        if (how === 'a cut') response.destroy();
        else response.end(event(error));
      });
    });
    const messageHistory = [{ author: 'bot', content: 'Welcome.' }];
    const path = await scene.client.session({ model: MODELS[wire], messageHistory });
    const stream = await scene.client.stream(path, { message: 'Count.' }).done();
    expect(stream.terminal?.event).toBe('turn.failed');
    expect(await scene.client.history(path)).toEqual([['bot', 'Welcome.']]);
  });

  test('that is left with onDisconnect: cancel aborts the model and leaves no trace', async () => {
    await using scene = await startWires(
      (response) => void asStream(response).write(event(chunk[wire]('half ', false))),
    );
    const { client, upstream } = scene;
    const messageHistory = [{ author: 'bot', content: 'Welcome.' }];
    const path = await client.session({ model: MODELS[wire], messageHistory });
    const stream = client.stream(path, { message: 'Count.', onDisconnect: 'cancel', turnId: 'it' });
    await stream.until('the first words are read', () => stream.answer() === 'half ');
    stream.hangUp();
    await upstream.calls[0]?.aborted;
    await until('the turn has ended', async () => (await client.get(`${path}/turns/it`)).json.state === 'CANCELLED');
    expect(await client.history(path)).toEqual([['bot', 'Welcome.']]);
  });

  const FOUR = [
    ['a1 ', 'b1 ', 'c1 ', 'd1 '],
    ['a2 ', 'b2 ', 'c2 ', 'd2 '],
    ['a3', 'b3', 'c3', 'd3'],
  ];

  test('of four candidates brings them side by side, keeps one, and goes on from that one alone', async () => {
    await using scene = await startWires(says(FOUR));
    const { client } = scene;
    const path = await client.session({ model: MODELS[wire] });
    const stream = await client.stream(path, { message: 'Four!', candidateCount: 4, turnId: 'four' }).done();
    const deltas = stream.events.filter((it) => it.event === 'candidate.delta').map(({ data }) => data);
    expect(deltas).toEqual(FOUR.flatMap((texts) => texts.map((text, index) => ({ index, text }))));
    const finished = stream.events.filter((it) => it.event === 'candidate.finished').map(({ data }) => data.index);
    expect(finished).toEqual([0, 1, 2, 3]);
    expect(stream.terminal).toMatchObject({ event: 'turn.committed', data: { chosenCandidate: 0 } });
    const { json: turn } = await client.get(`${path}/turns/four`);
    const texts = turn.candidates.map(({ text }: { text: string }) => text);
    expect(texts).toEqual(wholeTexts(FOUR));
    await client.post(`${path}/messages`, { message: 'And?' });
    const body = scene.upstream.calls.at(-1)?.body ?? '';
    expect(texts.filter((text: string) => body.includes(text))).toEqual(['a1 a2 a3']);
    expect((await client.history(path)).map(([, content]) => content)).toEqual(['Four!', texts[0], 'And?', texts[0]]);
  });

  test('asks the model as soon as it is asked for, whether anybody reads it or not', async () => {
    await using scene = await startWires(says([['Fine.']]));
    const path = await scene.client.session({ model: MODELS[wire] });
    const stream = scene.client.stream(path, { message: 'Hi' });
    await stream.until('there is a response', ({ status }) => status === 200);
    stream.hangUp();
    await until('the answer is kept', async () => (await scene.client.history(path)).length === 2);
  });
});

test.each(WIRES)('the built-in emulator gives four candidates side by side, and is told of one (%s)', async (wire) => {
  await using service = await startService({});
  const client = new Client(service.url);
  const path = await client.session({ model: MODELS[wire] });
  const stream = await client.stream(path, { message: 'Four!', candidateCount: 4, turnId: 'four' }).done();
  const deltas = stream.events.filter((it) => it.event === 'candidate.delta').map(({ data }) => data.index);
  expect(deltas.slice(0, 8)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  const finished = stream.events.filter((it) => it.event === 'candidate.finished').map(({ data }) => data.index);
  expect(finished).toEqual([0, 1, 2, 3]);
  const { json: turn } = await client.get(`${path}/turns/four`);
  const texts = turn.candidates.map(({ text }: { text: string }) => text);
  expect(texts).toEqual([0, 1, 2, 3].map((index) => stream.answer(index)));
  expect(new Set(texts).size).toBe(4);
  // It says what it was sent.
  const { json: next } = await client.post(`${path}/messages`, { message: 'And?' });
  expect(next.text).toContain('2 earlier messages');
  expect((await client.history(path)).map(([, content]) => content)).toEqual(['Four!', texts[0], 'And?', next.text]);
});

describe.each(WIRES)('waiting for an answer on the %s wire', (wire) => {
  test('keeps nobody else from asking: answers of many sessions are made at the same time', async () => {
    const gate = Promise.withResolvers<void>();
    await using scene = await startWires(async (response, call) => {
      await gate.promise;
      return says([['Fine.']])(response, call);
    });
    const { client, upstream } = scene;
    const paths = await Promise.all(Array.from({ length: 8 }, () => client.session({ model: MODELS[wire] })));
    const turns = paths.map((path) => client.post(`${path}/messages`, { message: 'Hi' }));
    const streams = await Promise.all(Array.from({ length: 8 }, () => client.session({ model: MODELS[wire] })));
    const open = streams.map((path) => client.stream(path, { message: 'Hi' }));
    await until('the model is asked for all of them', () => upstream.calls.length === 16);
    expect(upstream.calls.filter(isStreamed)).toHaveLength(8);
    gate.resolve();
    for (const { json } of await Promise.all(turns)) expect(json).toMatchObject({ state: 'COMMITTED', text: 'Fine.' });
    for (const stream of open) expect((await stream.done()).terminal?.event).toBe('turn.committed');
  });
});

test('the parameters of a stream to a predict model are Tensors, floats as floats', async () => {
  await using scene = await startWires(says([['Fine.']]));
  const path = await scene.client.session({ model: MODELS.predict, temperature: 1, topP: 1, topK: 2 });
  await scene.client.stream(path, { message: 'Hi', maxOutputTokens: 5 }).done();
  expect(scene.asked.parameters).toEqual({
    structVal: {
      temperature: { floatVal: [1] },
      topP: { floatVal: [1] },
      topK: tensorOf(2),
      maxDecodeSteps: tensorOf(5),
    },
  });
});
