// What a Redis holds of what was said: with keys, nothing that can be read, in its memory, its snapshot or its log of writes;
// without, all of it, or this test could not fail.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { idempotencyOf } from '../../src/http/idempotency.ts';
import type { Client } from '../support/client.ts';
import { HistoryKeysFixture } from '../support/history-keys.ts';
import { FAILURES, saysParts } from '../support/played-turns.ts';
import { everythingIn } from '../support/redis-contents.ts';
import { RedisServer } from '../support/redis-server.ts';
import { startReplicas } from '../support/replicas.ts';
import { asJson, type Script } from '../support/upstream.ts';

const mark = (what: string) => `planted-${what}-${randomUUID().slice(0, 8)}`;

/** All that is looked for: what it is, and how it is spelled. */
const MARKS = Object.fromEntries(
  [
    ...['displayName', 'metadataName', 'metadataValue', 'context', 'exampleInput', 'exampleOutput', 'stopSequence'],
    ...['toolName', 'historyQuestion', 'historyAnswer', 'prompt', 'answer', 'otherAnswer', 'callArgument', 'response'],
    ...[
      'failedPrompt',
      'failure',
      'importedQuestion',
      'importedAnswer',
      'newName',
      'forkName',
      'jsonPrompt',
      'signature',
    ],
    ...['keyedPrompt', 'keyedAnswer', 'chosenAnswer'],
  ].map((what) => [what, mark(what)]),
) as Record<string, string>;

const CREATION = {
  displayName: MARKS.displayName,
  metadata: { [`${MARKS.metadataName}`]: MARKS.metadataValue },
  context: MARKS.context,
  examples: [{ input: MARKS.exampleInput, output: MARKS.exampleOutput }],
  stopSequences: [MARKS.stopSequence],
  tools: [{ functionDeclarations: [{ name: MARKS.toolName }] }],
  messageHistory: [
    { author: 'user', content: MARKS.historyQuestion },
    { author: 'bot', content: MARKS.historyAnswer },
  ],
};

/** By what the newest question says. */
const ANSWERS: readonly (readonly [string | undefined, Script])[] = [
  [MARKS.response, saysParts([{ text: 'thanks' }])],
  ['call it', saysParts([{ functionCall: { name: MARKS.toolName, args: { a: MARKS.callArgument } } }])],
  [
    MARKS.failedPrompt,
    (response) => asJson(response, 400, { error: { code: 400, message: MARKS.failure, status: 'INVALID_ARGUMENT' } }),
  ],
  [MARKS.keyedPrompt, saysParts([{ text: MARKS.keyedAnswer }])],
  [MARKS.jsonPrompt, saysParts([{ text: 'chosen first' }], [{ text: MARKS.chosenAnswer }])],
  [MARKS.prompt, saysParts([{ text: MARKS.answer, thoughtSignature: MARKS.signature }], [{ text: MARKS.otherAnswer }])],
];

const model: Script = (response, call) => {
  const newest = JSON.stringify(JSON.parse(call.body).contents.at(-1));
  const [, script] = ANSWERS.find(([said = '']) => newest.includes(said)) ?? [];
  return (script ?? FAILURES.BLOCKED)(response, call);
};

/** Everything that a client can have kept, at least once. */
async function say(client: Client): Promise<void> {
  const { json } = await client.post('/v1/sessions', CREATION, { 'idempotency-key': 'creation' });
  const path = `/v1/sessions/${json.id}`;
  const sendsTo = async (body: object, state: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await client.post(`${path}/messages`, body, headers);
    expect(answer.json.state ?? answer.json.code, answer.text).toBe(state);
    return answer.json;
  };
  const stream = await client.stream(path, { message: MARKS.prompt, candidateCount: 2 }).done();
  expect(stream.terminal?.event).toBe('turn.committed');
  await sendsTo({ message: 'call it' }, 'COMMITTED');
  const response = { name: MARKS.toolName, response: { said: MARKS.response } };
  await sendsTo({ parts: [{ functionResponse: response }] }, 'COMMITTED');
  for (let i = 0; i < 2; i += 1) await sendsTo({ message: MARKS.keyedPrompt }, 'COMMITTED', { 'idempotency-key': 'k' });
  const { turnId } = await sendsTo({ message: MARKS.jsonPrompt, candidateCount: 2 }, 'COMMITTED');
  expect((await client.post(`${path}/turns/${turnId}/choose`, { candidate: 1 })).status).toBe(200);
  const messages = [
    { author: 'user', content: MARKS.importedQuestion },
    { author: 'bot', content: MARKS.importedAnswer },
  ];
  expect((await client.post(`${path}/messages/import`, { messages }, { 'idempotency-key': 'i' })).status).toBe(200);
  expect((await client.patch(path, { displayName: MARKS.newName })).status).toBe(200);
  expect((await client.post(`${path}/fork`, { displayName: MARKS.forkName }, { 'idempotency-key': 'f' })).status).toBe(
    201,
  );
  // Last, since its question is kept only until the next one.
  await sendsTo({ message: MARKS.failedPrompt }, 'unsupported_by_model');
}

let keys: HistoryKeysFixture;
beforeAll(() => {
  keys = new HistoryKeysFixture();
});
afterAll(() => keys[Symbol.dispose]());

/** Which of the marks are there to be read, and by what the creation could be guessed. */
async function found(env: Readonly<Record<string, string>>) {
  const server = await RedisServer.start();
  const client = server.client();
  const replicas = await startReplicas(model, { redisUrl: server.url, env: { UPSTREAM_RETRIES_MAX: '0', ...env } });
  await say(replicas.here);
  const contents = await everythingIn(client);
  await replicas[Symbol.asyncDispose]();
  client.disconnect();
  await server.stop();
  const digest = idempotencyOf('creation', CREATION)?.fingerprint ?? '';
  const isThere = (text: string) => {
    return [text, Buffer.from(text).toString('base64').slice(0, 24), Buffer.from(text).toString('hex')].some(
      (spelled) => {
        return contents.includes(spelled);
      },
    );
  };
  return {
    bytes: contents.length,
    marks: Object.keys(MARKS).filter((what) => isThere(MARKS[what] ?? '')),
    digest: isThere(digest),
    openCall: contents.includes(`"${MARKS.toolName}"`),
  };
}

describe('a Redis', () => {
  test('holds nothing of what was said that could be read', async () => {
    const { bytes, ...seen } = await found({ HISTORY_KEYS_FILE: keys.path });
    expect(seen).toEqual({ marks: [], digest: false, openCall: false });
    expect(bytes).toBeGreaterThan(20_000);
  });

  test('holds all of it when nothing is encrypted, so that the same look would find it', async () => {
    const { marks, digest, openCall } = await found({ HISTORY_KEYS_FILE: '' });
    expect(marks).toEqual(Object.keys(MARKS));
    expect([digest, openCall]).toEqual([true, true]);
  });
});
