// A conversation of thirty turns with everything that a part can be, over Redis, while the process is ended twice: after
// it, every part that goes to the model is, byte for byte, what it was when it came or was sent. The emulator behind the
// recorder checks the signatures, which cover the whole part, and the order of calls and responses.

import { expect, inject, test } from 'vitest';
import { signed } from '../../src/emulator/gemini/signature.ts';
import { startEmulator } from '../../src/emulator/server.ts';
import { Client } from '../support/client.ts';
import { type PartText, type RecordingFront, startFront } from '../support/recording-front.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { type SpawnedService, spawnService } from '../support/spawned-service.ts';

/** Of the third generation, which demands its signatures back. */
const MODEL = 'gemini-3-pro-preview';

const TOOLS = [
  {
    functionDeclarations: [
      { name: 'lookUp', parametersJsonSchema: { type: 'object', properties: { title: { type: 'string' } } } },
      { name: 'convert', parametersJsonSchema: { type: 'object', properties: { amount: { type: 'number' } } } },
    ],
  },
];

/** Texts that a careless hand changes: line ends of JavaScript, a zero, half a character, an escape, white space. */
const TRICKY = 'Größe 𝒳 \u2028\u0000 \ud800 "\\u0041" </script>\t \r\n ';

const PNG = { mimeType: 'image/png', data: 'iVBORw0KGgo+/AAA==' };
const response = (name: string, value: object) => ({ functionResponse: { name, response: value } });

/** A name of JavaScript's own, which only the model can say: bodies of clients may not hold it. */
const SECOND_CALL = signed(
  JSON.parse('{"functionCall":{"name":"convert","args":{"amount":1e21,"__proto__":{"x":-1e-7}},"id":"call-2"}}'),
  MODEL,
);

const CODE_AND_MORE = [
  signed({ text: `Let me compute. ${TRICKY}`, thought: true }, MODEL),
  { text: 'I run ', partMetadata: { source: TRICKY, deep: [{ a: null, b: [] }, 0.1, true] } },
  { executableCode: { language: 'PYTHON', code: `print(1)  # ${TRICKY}` } },
  { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1\n' } },
  { hologram: { depth: 3, voxels: [1e-9, 12345678901234] }, thoughtSignature: 'bm90IG91cnM+/w==' },
  { inlineData: { ...PNG, displayName: 'a plot' }, videoMetadata: { fps: 0.5 }, unknownField: {} },
  signed({ text: `and it is 1. ${TRICKY}` }, MODEL),
];

interface Step {
  readonly send: object;
  /** What the model says, where the emulator cannot say it. */
  readonly answer?: readonly object[];
}

/** Ten turns; three rounds of them make the conversation. */
function round(number: number): readonly Step[] {
  const text = (words: string) => ({ message: `${words} (${number}) ${TRICKY}` });
  return [
    { send: text('A plain question.') },
    { send: text('[[thoughts]] Think of it.') },
    { send: text('[[calls:3]] Three at once.') },
    {
      send: {
        parts: [
          response('lookUp', { found: [{ title: TRICKY, year: 1937 }], empty: {}, none: null }),
          response('convert', { amount: 0.1, exact: 9007199254740991 }),
          response('lookUp', { found: [] }),
        ],
      },
    },
    { send: text('[[call:lookUp]] One after the other.') },
    { send: { parts: [response('lookUp', { price: 12.5 })] }, answer: [SECOND_CALL] },
    { send: { parts: [{ functionResponse: { id: 'call-2', name: 'convert', response: { amount: 13 } } }] } },
    { send: { parts: [{ text: `[[image]] [[thoughts]] Draw (${number}).` }, { inlineData: PNG }] } },
    { send: text('[[signature]] Signed at the very end.') },
    {
      send: {
        parts: [
          { text: `Compute (${number}). ${TRICKY}` },
          { text: 'with a note', partMetadata: { 'a "key"': [TRICKY, { z: 1, a: 2 }] } },
          { sketch: { strokes: [[0, 0.5]], by: TRICKY } },
        ],
      },
      answer: CODE_AND_MORE,
    },
  ];
}

const STEPS = [1, 2, 3].flatMap(round);

/** After how many turns the process ends: politely with a call open, and by force. */
const ENDS: Readonly<Record<number, 'SIGTERM' | 'SIGKILL'>> = { 15: 'SIGTERM', 22: 'SIGKILL' };

interface SaidParts {
  readonly role: 'user' | 'model';
  readonly parts: readonly PartText[];
}

const isPlain = (part: PartText) => {
  const { text, thought, ...more } = JSON.parse(part) as Record<string, unknown>;
  if (typeof text !== 'string' || Object.keys(more).length > 0) return undefined;
  return thought === undefined ? 'text' : 'thought';
};

/** What a stream brings of one plain text, or of one plain thought, in pieces is one part afterwards; nothing else is touched. */
function assembled(chunks: readonly (readonly PartText[])[]): readonly PartText[] {
  const parts: PartText[] = [];
  for (const [first, ...rest] of chunks.filter((chunk) => chunk.length > 0)) {
    const last = parts.at(-1);
    if (first && last && isPlain(last) && isPlain(last) === isPlain(first)) {
      const [before, after] = [JSON.parse(last), JSON.parse(first)] as const;
      parts.splice(-1, 1, JSON.stringify({ ...before, text: before.text + after.text }), ...rest);
    } else parts.push(...(first ? [first] : []), ...rest);
  }
  return parts;
}

function expectReplayed(body: string, said: readonly SaidParts[]): void {
  const { contents } = JSON.parse(body) as { contents: { role: string; parts: object[] }[] };
  expect(contents.map(({ role, parts }) => ({ role, parts: parts.map((part) => JSON.stringify(part)) }))).toEqual(said);
  for (const { parts } of said) expect(body).toContain(`"parts":[${parts.join(',')}]`);
}

/** One turn, on the route that the round has for it; what was said is added to `said`. */
async function converse(client: Client, path: string, turn: number, front: RecordingFront, said: SaidParts[]) {
  const step = STEPS[turn];
  if (!step) throw new Error('there is such a step');
  if (step.answer) front.answerNext(step.answer);
  const question = 'message' in step.send ? [{ text: step.send.message }] : (step.send as { parts: object[] }).parts;
  said.push({ role: 'user', parts: question.map((part) => JSON.stringify(part)) });
  const isStream = (turn + Math.floor(turn / 10)) % 2 === 1;
  const ended = isStream
    ? (await client.stream(path, step.send).done()).terminal?.data
    : (await client.post(`${path}/messages`, step.send)).json;
  expect(ended, `turn ${turn}: ${JSON.stringify(ended?.problem ?? ended)}`).toMatchObject({ state: 'COMMITTED' });
  const exchange = front.exchanges.at(-1);
  expectReplayed(exchange?.body ?? '', said);
  said.push({ role: 'model', parts: assembled(exchange?.chunks ?? []) });
}

test('every part is replayed as it was, over thirty turns and two ends of the process', {
  timeout: 120_000,
}, async () => {
  await using opened = new AsyncDisposableStack();
  const emulator = await startEmulator({ chunkDelayMs: 0 });
  opened.defer(() => emulator.close());
  await using front = await startFront(emulator.address);
  const variables = {
    REDIS_URL: inject('redisUrl'),
    REDIS_KEY_PREFIX: uniquePrefix(),
    VERTEX_AI_EMULATOR_HOST: front.address,
    DEFAULT_MODEL: MODEL,
  };
  let service: SpawnedService = await spawnService(variables);
  opened.defer(() => service[Symbol.asyncDispose]());
  const path = await new Client(service.url).session({ tools: TOOLS });
  const said: SaidParts[] = [];
  for (let turn = 0; turn < STEPS.length; turn += 1) {
    const signal = ENDS[turn];
    if (signal) {
      await service.process.end(signal);
      await service[Symbol.asyncDispose]();
      service = await spawnService(variables);
    }
    await converse(new Client(service.url), path, turn, front, said);
  }
  expect(front.exchanges).toHaveLength(30);
  const { json } = await new Client(service.url).get(`${path}/messages?pageSize=200`);
  const read = json.messages.map(({ author, parts }: { author: string; parts: object[] }) => ({
    role: author === 'bot' ? 'model' : 'user',
    parts: parts.map((part) => JSON.stringify(part)),
  }));
  expect(read).toEqual(said);
  const kinds = new Set(said.flatMap(({ parts }) => parts.flatMap((part) => Object.keys(JSON.parse(part)))));
  expect([...kinds]).toEqual(
    expect.arrayContaining([
      ...['text', 'thought', 'thoughtSignature', 'functionCall', 'functionResponse', 'inlineData'],
      ...['executableCode', 'codeExecutionResult', 'hologram', 'sketch', 'partMetadata', 'unknownField'],
    ]),
  );
});
