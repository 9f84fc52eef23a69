// Recorded answers of the real API (files/, origin in its README), replayed through the whole service: whole, in slices
// of 7 bytes and in slices at random; streamed, and unary where they are documents. What must come out was decided by
// reading the files, not by running the service.

import { readdirSync, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTick } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { type Answer, Client, type EventStream } from '../support/client.ts';
import { type RunningService, startService } from '../support/service.ts';
import { startUpstream, type Upstream, type UpstreamCall } from '../support/upstream.ts';

const FOLDER = new URL('./files/', import.meta.url);

interface Expected {
  /** Of a stream; and of a unary document where it is another one. */
  readonly state: 'COMMITTED' | 'BLOCKED' | 'FAILED';
  readonly unaryState?: 'COMMITTED' | 'BLOCKED' | 'FAILED';
  /** The HTTP status of the recorded answer, where it is an error. */
  readonly http?: number;
  readonly code?: string;
  readonly blockReason?: string;
  /** What the answer calls, which the next turn has to answer. */
  readonly calls?: readonly string[];
}

const COMMITTED: Expected = { state: 'COMMITTED' };
const TABLE: Readonly<Record<string, Expected>> = {
  'streaming-failure-api-key.txt': { state: 'FAILED', http: 400, code: 'model_error' },
  'streaming-failure-empty-content.txt': { state: 'FAILED', code: 'model_protocol_error' },
  'streaming-failure-error-mid-stream.txt': { state: 'FAILED', code: 'model_error' },
  'streaming-failure-finish-reason-safety.txt': { state: 'BLOCKED', blockReason: 'SAFETY' },
  'streaming-failure-http-error.txt': { state: 'FAILED', http: 400, code: 'unsupported_by_model' },
  'streaming-failure-image-rejected.txt': { state: 'FAILED', http: 400, code: 'unsupported_by_model' },
  'streaming-failure-invalid-json.txt': { state: 'FAILED', code: 'model_protocol_error' },
  'streaming-failure-prompt-blocked-safety.txt': { state: 'BLOCKED', blockReason: 'SAFETY' },
  'streaming-failure-recitation-no-content.txt': { state: 'BLOCKED', blockReason: 'RECITATION' },
  'streaming-failure-unknown-model.txt': { state: 'FAILED', http: 404, code: 'unsupported_by_model' },
  'streaming-success-basic-reply-long.txt': COMMITTED,
  'streaming-success-basic-reply-short.txt': COMMITTED,
  'streaming-success-citations.txt': COMMITTED,
  'streaming-success-empty-text-part.txt': COMMITTED,
  'streaming-success-function-call-short.txt': { state: 'COMMITTED', calls: ['getTemperature'] },
  // It never says that it finished.
  'streaming-success-quotes-escaped.txt': { state: 'FAILED', code: 'model_protocol_error' },
  'streaming-success-thinking-reply-thought-summary.txt': COMMITTED,
  'unary-failure-api-key.json': { state: 'FAILED', http: 400, code: 'model_error' },
  'unary-failure-empty-content.json': { state: 'FAILED', code: 'model_protocol_error' },
  'unary-failure-finish-reason-safety-no-content.json': { state: 'BLOCKED', blockReason: 'SAFETY' },
  'unary-failure-http-error.json': { state: 'FAILED', http: 400, code: 'unsupported_by_model' },
  'unary-failure-iam-permission-denied.json': { state: 'FAILED', http: 403, code: 'model_error' },
  'unary-failure-invalid-location-url-not-found.html': { state: 'FAILED', http: 404, code: 'unsupported_by_model' },
  'unary-failure-invalid-response.json': { state: 'FAILED', code: 'model_protocol_error' },
  'unary-failure-model-not-found.json': { state: 'FAILED', http: 404, code: 'unsupported_by_model' },
  'unary-failure-prompt-blocked-safety.json': { state: 'BLOCKED', blockReason: 'SAFETY' },
  'unary-failure-quota-exceeded.json': { state: 'FAILED', http: 429, code: 'model_overloaded' },
  'unary-failure-unknown-enum-finish-reason.json': { state: 'BLOCKED', blockReason: 'FAKE_NEW_FINISH_REASON' },
  'unary-failure-unknown-model.json': { state: 'FAILED', http: 404, code: 'unsupported_by_model' },
  'unary-success-basic-reply-short.json': COMMITTED,
  'unary-success-basic-response-long-usage-metadata.json': COMMITTED,
  'unary-success-citations.json': COMMITTED,
  'unary-success-code-execution.json': COMMITTED,
  'unary-success-constraint-decoding-json.json': COMMITTED,
  'unary-success-empty-part.json': COMMITTED,
  'unary-success-empty-text-part.json': { state: 'BLOCKED', blockReason: 'EMPTY' },
  'unary-success-function-call-empty-arguments.json': { state: 'COMMITTED', calls: ['current_time'] },
  'unary-success-function-call-json-literal.json': { state: 'COMMITTED', calls: ['functionName'] },
  'unary-success-function-call-no-arguments.json': { state: 'COMMITTED', calls: ['current_time'] },
  'unary-success-function-call-parallel-calls.json': { state: 'COMMITTED', calls: ['sum', 'sum', 'sum'] },
  'unary-success-function-call-with-arguments.json': { state: 'COMMITTED', calls: ['sum'] },
  'unary-success-google-search-grounding.json': COMMITTED,
  // Without a reason to finish: a stream has to say that it finished, a document is complete by itself.
  'unary-success-missing-safety-ratings.json': {
    state: 'FAILED',
    unaryState: 'COMMITTED',
    code: 'model_protocol_error',
  },
  'unary-success-quote-reply.json': COMMITTED,
  'unary-success-usage-metadata.json': COMMITTED,
};

interface Recording {
  readonly name: string;
  readonly bytes: Buffer;
  readonly expected: Expected;
  readonly isStream: boolean;
}

const recordings: readonly Recording[] = readdirSync(FOLDER)
  .filter((name) => name !== 'README.md')
  .map((name) => {
    const expected = TABLE[name];
    if (!expected) throw new Error(`${name} has no line in the table`);
    return { name, bytes: readFileSync(new URL(name, FOLDER)), expected, isStream: name.startsWith('streaming') };
  });

/** What a reader would see of candidate 0: an independent, simple reading of the file. */
function visibleTextOf({ bytes }: Recording): string {
  const text = bytes.toString('utf8');
  const events = text.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  const values = events.length > 0 ? events.map((line) => JSON.parse(line.slice(5))) : [JSON.parse(text)];
  const parts = values.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? []);
  return parts.map((part) => (part.thought ? '' : (part.text ?? ''))).join('');
}

const SLICINGS = ['whole', 'seven', 'random'] as const;
type Slicing = (typeof SLICINGS)[number];

/** Sizes of slices between 1 and 90, the same in every run (a linear congruential generator). */
function* sizes(slicing: Slicing): Generator<number> {
  let seed = 20_260_101;
  for (;;) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    yield slicing === 'whole' ? Number.POSITIVE_INFINITY : slicing === 'seven' ? 7 : 1 + (seed % 90);
  }
}

async function writeSliced(response: ServerResponse, bytes: Buffer, slicing: Slicing): Promise<void> {
  response.socket?.setNoDelay(true);
  let start = 0;
  for (const size of sizes(slicing)) {
    if (start >= bytes.length) break;
    response.write(bytes.subarray(start, start + size));
    start += size;
    await nextTick();
  }
  response.end();
}

function contentType(bytes: Buffer): string {
  const begin = bytes.subarray(0, 20).toString('utf8').trimStart();
  if (begin.startsWith('data:')) return 'text/event-stream';
  return begin.startsWith('<') ? 'text/html' : 'application/json';
}

/** A document, as it would have been streamed: one event. HTML and errors stay what they are. */
function asEvents(recording: Recording): Buffer {
  if (recording.isStream || recording.expected.http) return recording.bytes;
  return Buffer.from(`data: ${JSON.stringify(JSON.parse(recording.bytes.toString('utf8')))}\r\n\r\n`);
}

let upstream: Upstream;
let emulator: Emulator;
let services: { readonly vertex: RunningService; readonly developer: RunningService };

/** `rec-<number>-<slicing>`: the recording for the first question, the strict emulator for what comes after. */
async function play(response: ServerResponse, call: UpstreamCall): Promise<void> {
  const [, index = '0', slicing = 'whole'] = /^rec-(\d+)-(\w+)$/.exec(call.model) ?? [];
  const recording = recordings[Number(index)];
  if (recording && JSON.parse(call.body).contents.at(-1).parts[0].text === 'replay') {
    const bytes = call.isStream ? asEvents(recording) : recording.bytes;
    response.writeHead(recording.expected.http ?? 200, { 'content-type': contentType(bytes) });
    return writeSliced(response, bytes, slicing as Slicing);
  }
  // The recorded calls are unsigned: they come from models that did not demand signatures.
  const url = `http://${emulator.address}${call.url.replace(call.model, 'gemini-2.0-flash')}`;
  const answered = await fetch(url, { method: 'POST', body: call.body });
  response.writeHead(answered.status, { 'content-type': answered.headers.get('content-type') ?? '' });
  response.end(Buffer.from(await answered.arrayBuffer()));
}

beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
  upstream = await startUpstream(play);
  services = {
    vertex: await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address }),
    developer: await startService({ GEMINI_API_KEY: 'key', GOOGLE_GEMINI_BASE_URL: upstream.url }),
  };
});

afterAll(async () => {
  await services.vertex.close();
  await services.developer.close();
  await upstream.close();
  await emulator.close();
});

/** What is the same for both ways of asking: history, record of the turn, and whether the conversation can go on. */
async function checkAftermath(client: Client, path: string, recording: Recording, state: string, turnId: string) {
  const { json: turn } = await client.get(`${path}/turns/${turnId}`);
  expect(turn.state).toBe(state);
  if (state === 'BLOCKED') expect(turn.blockReason).toBe(recording.expected.blockReason);
  if (state === 'FAILED') expect(turn.problem.code).toBe(recording.expected.code);
  const history = await client.history(path);
  const grown = [
    ['user', 'replay'],
    ['bot', state === 'COMMITTED' ? visibleTextOf(recording) : ''],
  ];
  expect(history).toEqual(state === 'COMMITTED' ? grown : []);
  const { calls } = recording.expected;
  const responses = calls?.map((name) => ({ functionResponse: { name, response: { ok: true } } }));
  const next = await client.post(`${path}/messages`, responses ? { parts: responses } : { message: 'go on' });
  expect({ status: next.status, state: next.json.state }).toEqual({ status: 200, state: 'COMMITTED' });
}

describe.each(['vertex', 'developer'] as const)('a recorded answer, on the %s wire,', (wire) => {
  const cases = recordings.flatMap((recording, index) => SLICINGS.map((slicing) => ({ recording, index, slicing })));

  test.each(cases)('streamed: $recording.name ($slicing)', async ({ recording, index, slicing }) => {
    const client = new Client(services[wire].url);
    const path = await client.session({ model: `rec-${index}-${slicing}` });
    const stream: EventStream = await client.stream(path, { message: 'replay', turnId: 'first' }).done();
    const { state, http } = recording.expected;
    if (http) {
      expect(stream.json.code).toBe(recording.expected.code);
    } else if (stream.status === 200) {
      expect(stream.terminal?.event).toBe(`turn.${state.toLowerCase()}`);
      expect(stream.types.at(-1)).toBe(stream.terminal?.event);
      // What was said is readable, also when it does not enter the history.
      expect(stream.answer()).toBe(visibleTextOf(recording));
    } else {
      // Garbage or nothing before the first word of the model: an ordinary problem.
      expect(stream.json.code).toBe(recording.expected.code);
    }
    await checkAftermath(client, path, recording, state, 'first');
  });

  test.each(cases.filter(({ recording }) => !recording.isStream))(
    'unary: $recording.name ($slicing)',
    async ({ recording, index, slicing }) => {
      const client = new Client(services[wire].url);
      const path = await client.session({ model: `rec-${index}-${slicing}` });
      const answer: Answer = await client.post(`${path}/messages`, { message: 'replay', turnId: 'first' });
      const state = recording.expected.unaryState ?? recording.expected.state;
      if (state === 'FAILED') expect(answer.json.code).toBe(recording.expected.code);
      else expect({ status: answer.status, state: answer.json.state }).toEqual({ status: 200, state });
      if (state === 'COMMITTED') expect(answer.json.text).toBe(visibleTextOf(recording));
      await checkAftermath(client, path, recording, state, 'first');
    },
  );
});
