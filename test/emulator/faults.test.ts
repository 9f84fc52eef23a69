// What the table of faults (fault-table.test.ts) cannot show: faults in several requests, in combination, and wrong ones.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import {
  type Answer,
  candidatesIn,
  chunksIn,
  DEVELOPER,
  documentIn,
  errorIn,
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

const finishReasons = (answer: Answer) =>
  candidatesIn(chunksIn(answer)).flatMap((candidate) => candidate.finishReason ?? []);

describe('a fault', () => {
  test('once-status fails the first request with its text and answers the next ones', async () => {
    const statuses: number[] = [];
    for (const label of ['a', 'a', 'b', 'a'])
      statuses.push((await stream(emulator.address, `Why? [[once-status:503:${label}]]`)).status);
    expect(statuses).toEqual([503, 200, 503, 200]);
    const name = 'fault-once-status-429-x';
    expect([
      (await unary(emulator.address, 'Why?', {}, name)).status,
      (await unary(emulator.address, 'Why?', {}, name)).status,
    ]).toEqual([429, 200]);
  });

  test.each([
    ['streamGenerateContent?alt=sse', /^data: \{[^\n]*\}\r\n\r\n$/],
    ['generateContent', /^\{\n {2}"candidates"/],
  ])('stall begins the answer of %s and never ends it', async (method, beginning) => {
    const stalling = await startEmulator({ chunkDelayMs: 0 });
    const body = JSON.stringify({ contents: [user('Why? [[stall:1]]')] });
    const answer = await fetch(`http://${stalling.address}${VERTEX}/m:${method}`, { method: 'POST', body });
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(beginning);
    const next = expect(reader?.read()).rejects.toThrow('terminated');
    // Another request is answered meanwhile: the stalled one had every chance to go on.
    await unary(stalling.address, 'Still there?');
    await stalling.close();
    await next;
  });

  test('silence does not even send headers', async () => {
    const silent = await startEmulator({ chunkDelayMs: 0 });
    const answer = stream(silent.address, 'Why?', {}, 'fault-silence');
    await unary(silent.address, 'Still there?');
    await Promise.all([silent.close(), expect(answer).rejects.toThrow('fetch failed')]);
  });

  test.each(['stream', 'unary'] as const)(
    'continuation gives a %s answer in two requests, the second with the token',
    async (kind) => {
      const ask = async (settings = {}) => {
        const answer = await (kind === 'stream' ? stream : unary)(emulator.address, 'Why? [[continuation]]', settings);
        return kind === 'stream' ? chunksIn(answer) : [documentIn(answer)];
      };
      const first = await ask();
      const { finishReason, continuationToken } = candidatesIn(first).at(-1) ?? {};
      expect([finishReason, typeof continuationToken]).toEqual(['CONTINUATION', 'string']);
      const second = await ask({ continuationToken });
      expect(candidatesIn(second).at(-1)?.finishReason).toBe('STOP');
      expect(saidIn(first) + saidIn(second)).toMatch(/^.*“Why\?”.*Before it I saw 0 earlier messages.*[?.🚀]$/su);
      const foreign = await stream(emulator.address, 'Something else [[continuation]]', { continuationToken });
      expect(foreign.status).toBe(400);
    },
  );

  test('delay and slow take the time they were asked to take', async () => {
    const start = performance.now();
    const [delayed, slow] = await Promise.all([
      stream(emulator.address, '[[delay:40]]'),
      stream(emulator.address, '[[slow:10]] [[chunks:5]]'),
    ]);
    expect(performance.now() - start).toBeGreaterThan(38);
    expect([chunksIn(delayed).length > 5, chunksIn(slow).length]).toEqual([true, 5]);
  });

  test('adds to the others: several markers, or a model and a marker', async () => {
    const answer = await stream(
      emulator.address,
      '[[lf]] [[chunks:9]] Why? [[candidates:2]]',
      {},
      'fault-finish-OTHER',
    );
    expect(answer.text).not.toContain('\r');
    expect([0, 1].map((index) => candidatesIn(chunksIn(answer), index).length)).toEqual([9, 9]);
    expect(finishReasons(answer)).toEqual(['OTHER']);
  });

  test('breaks a stream that is an array as an array', async () => {
    const ask = (text: string) =>
      post(emulator.address, `${VERTEX}/m:streamGenerateContent`, { contents: [user(text)] });
    const [failed, ended] = [await ask('[[error-bare]]'), await ask('[[eof:1]]')];
    expect(JSON.parse(failed.text).at(-1)).toMatchObject({ error: { code: 503 } });
    expect(JSON.parse(ended.text)).toHaveLength(1);
  });

  test('that breaks a stream after its last chunk keeps the finishReason back', async () => {
    const answer = await stream(emulator.address, 'Why? [[chunks:2]] [[eof:9]]');
    expect([chunksIn(answer).length, finishReasons(answer)]).toEqual([2, []]);
  });

  test('refuses to count tokens too, but only when it refuses at all', async () => {
    const count = (text: string) => post(emulator.address, `${DEVELOPER}/m:countTokens`, { contents: [user(text)] });
    expect([(await count('[[status:429]]')).status, (await count('[[cut]]')).status]).toEqual([429, 200]);
  });

  test('that does not exist is 404 as a model and plain text as a marker', async () => {
    const answer = await stream(emulator.address, 'Why?', {}, 'fault-unheard-of');
    expect([answer.status, errorIn(answer).message.includes('block-prompt')]).toEqual([404, true]);
    expect(saidIn(chunksIn(await stream(emulator.address, 'Why? [[unheard-of]]')))).toContain('[[unheard-of]]');
  });

  test.each(['status:200', 'status', 'big:0', 'big:999999999', 'candidates:9', 'finish:', 'slow:-1', 'lf:1'])(
    'with a wrong argument is 400: [[%s]]',
    async (name) => {
      const answer = await stream(emulator.address, `[[${name}]]`);
      expect([answer.status, errorIn(answer).message]).toEqual([400, expect.stringContaining(`[[${name}]]`)]);
    },
  );
});
