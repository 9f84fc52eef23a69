// What the table of faults of the legacy wire (predict-fault-table.test.ts) cannot show: faults in several requests, and wrong ones.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAULTS } from '../../src/emulator/faults.ts';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { errorIn, post, VERTEX } from './ask.ts';
import { predict, predictionIn, said, streamPredict, tensor, textIn } from './predict-ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

const instance = (text: string) => ({ messages: said(text) });

describe('on the legacy wire', () => {
  test('once-status fails the first request with its text and answers the next one', async () => {
    const ask = async () => (await predict(emulator.address, instance('Why? [[once-status:503:predict]]'))).status;
    expect([await ask(), await ask()]).toEqual([503, 200]);
  });

  test.each([
    [
      'serverStreamingPredict?alt=sse',
      { inputs: [tensor(instance('Why? [[stall:1]]'))] },
      /^data: \{"outputs[^\n]*\}\r/,
    ],
    ['predict', { instances: [instance('Why? [[stall:1]]')] }, /^\{\n {2}"predictions"/],
  ])('stall begins the answer of %s and never ends it', async (method, body, beginning) => {
    const stalling = await startEmulator({ chunkDelayMs: 0 });
    const address = `http://${stalling.address}${VERTEX}/m:${method}`;
    const answer = await fetch(address, { method: 'POST', body: JSON.stringify(body) });
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(beginning);
    const next = expect(reader?.read()).rejects.toThrow('terminated');
    // Another request is answered meanwhile: the stalled one had every chance to go on.
    await predict(stalling.address, instance('Still there?'));
    await stalling.close();
    await next;
  });

  test('silence does not even send headers', async () => {
    const silent = await startEmulator({ chunkDelayMs: 0 });
    const answer = predict(silent.address, instance('Why? [[silence]]'));
    await predict(silent.address, instance('Still there?'));
    await Promise.all([silent.close(), expect(answer).rejects.toThrow('fetch failed')]);
  });

  test('a stream that is an array breaks as an array', async () => {
    const ask = (text: string) => streamPredict(emulator.address, instance(text), undefined, 'm', '');
    expect(JSON.parse((await ask('[[error-bare]]')).text).at(-1)).toMatchObject({ error: { code: 503 } });
    expect(JSON.parse((await ask('[[eof:1]]')).text)).toHaveLength(1);
  });

  test.each(Object.keys(FAULTS.gemini).filter((name) => !Object.hasOwn(FAULTS.predict, name)))(
    '[[%s]] is refused, since only Gemini has such a thing',
    async (name) => {
      for (const answer of [
        await predict(emulator.address, instance(`Why? [[${name}]]`)),
        await streamPredict(emulator.address, instance('Why?'), undefined, `fault-${name}`),
      ]) {
        expect([answer.status, errorIn(answer).message]).toEqual([400, expect.stringContaining('only Gemini')]);
      }
    },
  );

  test('a fault that does not exist is 404 as a model, which names those that do, and plain text as a marker', async () => {
    const answer = await predict(emulator.address, instance('Why?'), {}, 'fault-unheard-of');
    expect([answer.status, errorIn(answer).message]).toEqual([404, expect.stringContaining('block-answer')]);
    expect(errorIn(answer).message).not.toContain('thoughts');
    expect(textIn([predictionIn(await predict(emulator.address, instance('Why? [[unheard-of]]')))])).toContain(
      '[[unheard-of]]',
    );
  });

  test('tokens are refused to be counted, but only where the fault refuses at all', async () => {
    const count = async (text: string) =>
      (await post(emulator.address, `${VERTEX}/m:countTokens`, { instances: [instance(text)] })).status;
    expect([await count('[[status:429]]'), await count('[[cut]]')]).toEqual([429, 200]);
  });
});
