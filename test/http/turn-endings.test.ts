// How turns end, as clients see it: every way in which a model can answer, asked for on both routes.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceScene, startScene } from '../support/service-scene.ts';

interface Ending {
  readonly marker: string;
  /** `HTTP` where the model fails before it has said a word. */
  readonly stream: 'committed' | 'blocked' | 'failed' | 'HTTP';
  readonly unary: 'COMMITTED' | 'BLOCKED' | 'FAILED';
  readonly code?: string;
  readonly status?: number;
  readonly retryable?: boolean;
  readonly blockReason?: string;
}

const committed = (marker: string): Ending => ({ marker, stream: 'committed', unary: 'COMMITTED' });
const blocked = (marker: string, blockReason: string): Ending => {
  return { marker, stream: 'blocked', unary: 'BLOCKED', blockReason };
};
const refused = (marker: string, code: string, status: number, retryable: boolean): Ending => {
  return { marker, stream: 'HTTP', unary: 'FAILED', code, status, retryable };
};
const broken = (marker: string, code: string, status: number): Ending => {
  return { marker, stream: 'failed', unary: 'FAILED', code, status, retryable: true };
};

const ENDINGS: readonly Ending[] = [
  committed('hello'),
  committed('[[finish:MAX_TOKENS]]'),
  // As a document it has nothing else than the missing parts.
  { marker: '[[no-parts]]', stream: 'committed', unary: 'BLOCKED', blockReason: 'EMPTY' },
  committed('[[unterminated]]'),
  committed('[[lf]]'),
  committed('[[slices:3]]'),
  committed('[[thoughts]]'),
  committed('[[signature]]'),
  committed('[[image]]'),
  committed('[[continuation]]'),
  blocked('[[block-prompt]]', 'SAFETY'),
  blocked('[[block-answer]]', 'SAFETY'),
  blocked('[[recitation]]', 'RECITATION'),
  blocked('[[empty]]', 'EMPTY'),
  blocked('[[finish:MALFORMED_FUNCTION_CALL]]', 'MALFORMED_FUNCTION_CALL'),
  blocked('[[finish:SOMETHING_NEW]]', 'SOMETHING_NEW'),
  refused('[[status:400]]', 'unsupported_by_model', 422, false),
  refused('[[status:404]]', 'unsupported_by_model', 422, false),
  refused('[[status:401]]', 'model_error', 502, false),
  refused('[[status:403]]', 'model_error', 502, false),
  refused('[[status:429]]', 'model_overloaded', 429, true),
  refused('[[status:408]]', 'model_timeout', 504, true),
  refused('[[status:504]]', 'model_timeout', 504, true),
  refused('[[status:500]]', 'model_error', 502, true),
  refused('[[status:503]]', 'model_error', 502, true),
  refused('[[html:404]]', 'unsupported_by_model', 422, false),
  refused('[[html:502]]', 'model_error', 502, true),
  broken('[[cut]]', 'model_protocol_error', 502),
  broken('[[garbage]]', 'model_protocol_error', 502),
  broken('[[error-bare]]', 'model_error', 502),
  broken('[[error-data]]', 'model_error', 502),
  broken('[[error-array]]', 'model_error', 502),
  broken('[[stall]]', 'model_timeout', 504),
  { marker: '[[silence]]', stream: 'HTTP', unary: 'FAILED', code: 'model_timeout', status: 504, retryable: true },
];

/** A unary answer that breaks in the middle may be a cut or an unreachable model: it never began. */
const UNARY_CODES: Readonly<Record<string, readonly string[]>> = {
  '[[cut]]': ['model_protocol_error', 'model_unreachable'],
};

let scene: ServiceScene;

beforeAll(async () => {
  scene = await startScene({
    UPSTREAM_RETRIES_MAX: '0',
    UPSTREAM_FIRST_EVENT_TIMEOUT_MS: '300',
    UPSTREAM_IDLE_TIMEOUT_MS: '300',
  });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** A session with one committed exchange, and its history as bytes. */
async function conversation() {
  const { client } = scene;
  const path = await client.session({});
  await client.post(`${path}/messages`, { message: 'before' });
  const { text: before } = await client.get(`${path}/messages`);
  return { client, path, before };
}

async function expectUnchanged(path: string, before: string): Promise<void> {
  const { client } = scene;
  expect((await client.get(`${path}/messages`)).text).toBe(before);
  const next = await client.post(`${path}/messages`, { message: 'after' });
  expect(next.json).toMatchObject({ state: 'COMMITTED', sent: { messages: 3 } });
}

describe('a streamed message', () => {
  test.each(ENDINGS)('$marker ends the stream with $stream', async ({ marker, stream, code, status, ...rest }) => {
    const { client, path, before } = await conversation();
    const events = await client.stream(path, { message: marker, turnId: 'it' }).done();
    const { json: turn } = await client.get(`${path}/turns/it`);
    if (stream === 'HTTP') {
      expect(events.json).toMatchObject({ code, status, retryable: rest.retryable, turnId: 'it' });
      expect(events.status).toBe(status);
      expect(turn).toMatchObject({ state: 'FAILED', problem: { code } });
      return expectUnchanged(path, before);
    }
    expect(events.status).toBe(200);
    expect(events.types.filter((type) => type.startsWith('turn.'))).toEqual(['turn.started', `turn.${stream}`]);
    expect(events.terminal?.data).toMatchObject({ state: stream.toUpperCase(), turnId: 'it' });
    expect(turn.state).toBe(stream.toUpperCase());
    expect(turn.text.startsWith(events.answer())).toBe(true);
    if (stream === 'committed') {
      expect((await client.history(path)).slice(2)).toEqual([
        ['user', marker],
        ['bot', events.answer()],
      ]);
      return;
    }
    if (stream === 'failed') expect(events.terminal?.data.problem).toMatchObject({ code, retryable: true });
    else expect(events.terminal?.data).toMatchObject({ isBlocked: true, blockReason: rest.blockReason });
    await expectUnchanged(path, before);
  });
});

describe('a message', () => {
  test.each(ENDINGS)('$marker ends as $unary', async ({ marker, unary, code, status, retryable, blockReason }) => {
    const { client, path, before } = await conversation();
    const answer = await client.post(`${path}/messages`, { message: marker, turnId: 'it' });
    expect(answer.headers).toMatchObject({ location: `${path}/turns/it`, 'turn-id': 'it' });
    if (unary === 'COMMITTED') {
      expect(answer.json).toMatchObject({ state: 'COMMITTED', isBlocked: false, chosenCandidate: 0 });
      expect((await client.history(path)).length).toBe(4);
      return;
    }
    if (unary === 'BLOCKED') {
      expect(answer.json).toMatchObject({ state: 'BLOCKED', isBlocked: true, blockReason });
      expect(answer.status).toBe(200);
    } else {
      expect(UNARY_CODES[marker] ?? [code]).toContain(answer.json.code);
      expect(answer.json).toMatchObject({ status, retryable, turnId: 'it', sessionId: path.split('/').at(-1) });
      expect(answer.status).toBe(status);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      if (status === 429) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    await expectUnchanged(path, before);
  });
});

test('the stream of several candidates tells them apart, and one of them enters the history', async () => {
  const { client } = scene;
  const path = await client.session({});
  const stream = await client.stream(path, { message: 'hello', candidateCount: 3, turnId: 'it' }).done();
  const answers = [0, 1, 2].map((index) => stream.answer(index));
  expect(new Set(answers).size).toBe(3);
  expect(stream.types.filter((type) => type === 'candidate.finished').length).toBe(3);
  const { json: turn } = await client.get(`${path}/turns/it`);
  expect(turn.candidates.map(({ text }: { text: string }) => text)).toEqual(answers);
  expect((await client.history(path))[1]).toEqual(['bot', answers[0]]);
  // Once the next turn has committed, the older one keeps the chosen candidate alone.
  await client.post(`${path}/messages`, { message: 'next' });
  expect((await client.get(`${path}/turns/it`)).json.candidates.length).toBe(1);
});

test('a called function has to be answered before the conversation can go on', async () => {
  const { client } = scene;
  const path = await client.session({});
  const { json: turn } = await client.post(`${path}/messages`, { message: '[[call:lookUp]]' });
  expect(turn.candidates[0].parts.some((part: object) => 'functionCall' in part)).toBe(true);
  const refused = await client.post(`${path}/messages`, { message: 'never mind' });
  expect(refused.json).toMatchObject({ status: 400, code: 'invalid_argument' });
  const parts = [{ functionResponse: { name: 'lookUp', response: { found: true } } }];
  expect((await client.post(`${path}/messages`, { parts })).json.state).toBe('COMMITTED');
});

test('sums of usage include turns that were blocked', async () => {
  const { client } = scene;
  const path = await client.session({});
  const good = await client.post(`${path}/messages`, { message: 'hello' });
  const bad = await client.post(`${path}/messages`, { message: '[[block-answer]]' });
  const { json: session } = await client.get(path);
  expect(bad.json.usage.totalTokens).toBeGreaterThan(0);
  expect(session.usage.totalTokens).toBe(good.json.usage.totalTokens + bad.json.usage.totalTokens);
});

test('a turn is retried before the first word, at most twice, and only where that makes sense', async () => {
  await using retrying = await startScene();
  const { client } = retrying;
  const path = await client.session({});
  const answer = await client.post(`${path}/messages`, { message: '[[once-status:503]] hello' });
  expect(answer.json.state).toBe('COMMITTED');
});
