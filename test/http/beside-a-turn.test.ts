// Every operation on a session while a turn of it runs, on the other replica: it works on what is committed, is refused, or
// ends the turn; never half. The turn then ends as if nothing had been asked.

import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Client, EventStream } from '../support/client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { answer, asJson, asStream, event, said, type UpstreamCall } from '../support/upstream.ts';

/** Answers that were begun and wait for their second half, by question. */
const held = new Map<string, ServerResponse>();

function script(response: ServerResponse, call: UpstreamCall) {
  if (call.url.includes('countTokens')) return asJson(response, 200, { totalTokens: 7 });
  const { contents } = JSON.parse(call.body);
  const question = contents.at(-1).parts[0].text as string;
  if (!question.startsWith('hold')) return answer(response, call, `answer ${contents.length}`);
  asStream(response).write(event(said('half ')));
  held.set(question, response);
}

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas(script);
});
afterAll(() => replicas[Symbol.asyncDispose]());

interface Beside {
  /** Where the turn does not run. */
  readonly there: Client;
  readonly path: string;
  readonly turnPath: string;
  /** The turn that is in the history already. */
  readonly committed: { readonly turnId: string; readonly messages: readonly [string, string] };
  readonly runningId: string;
}

let count = 0;

/** A session with one committed turn and one that runs; asks; lets the turn end; gives what was answered and the history. */
async function beside(act: (scene: Beside) => Promise<Answer>) {
  const { here, there } = replicas;
  const path = await here.session({});
  const committed = (await here.post(`${path}/messages`, { message: 'one' })).json;
  count += 1;
  const question = `hold ${count}`;
  const stream = here.stream(path, { message: question });
  await stream.until('the answer has begun', ({ types }) => types.includes('candidate.delta'));
  const runningId = String(stream.response?.headers['turn-id']);
  const answered = await act({ there, path, turnPath: `${path}/turns/${committed.turnId}`, committed, runningId });
  held.get(question)?.end(event(said('and half', 'STOP')));
  await stream.done();
  return { answered, path, runningId, committed, ending: stream.terminal?.event };
}

const HISTORY = [
  ['user', 'one'],
  ['bot', 'answer 1'],
];

describe('while a turn runs', () => {
  const refused: readonly [string, (scene: Beside) => Promise<Answer>][] = [
    ['rewind', ({ there, path }) => there.post(`${path}/rewind`, { toLength: 0 })],
    [
      'rewind to a message',
      ({ there, path, committed }) => there.post(`${path}/rewind`, { toMessageId: committed.messages[1] }),
    ],
    [
      'import',
      ({ there, path }) => there.post(`${path}/messages/import`, { messages: [{ author: 'bot', content: 'x' }] }),
    ],
    ['choose', ({ there, turnPath }) => there.post(`${turnPath}/choose`, { candidate: 0 })],
    ['regenerate', ({ there, turnPath }) => there.post(`${turnPath}/regenerate`, {})],
    [
      'regenerate the running turn',
      ({ there, path, runningId }) => there.post(`${path}/turns/${runningId}/regenerate`, {}),
    ],
    ['send', ({ there, path }) => there.post(`${path}/messages`, { message: 'two' })],
  ];
  test.each(refused)('%s is refused, and says who holds the session', async (_name, act) => {
    const { answered, path, runningId, ending } = await beside(act);
    expect(answered.status, answered.text).toBe(409);
    const eventsUrl = `${path}/turns/${runningId}/events`;
    expect(answered.json).toMatchObject({ code: 'turn_in_progress', activeTurn: { turnId: runningId, eventsUrl } });
    expect(answered.headers['retry-after']).toBeDefined();
    expect(ending).toBe('turn.committed');
    expect(await replicas.there.history(path)).toEqual([
      ...HISTORY,
      ['user', `hold ${count}`],
      ['bot', 'half and half'],
    ]);
  });

  test('regenerate/stream is refused as a problem, not as a stream', async () => {
    const { answered } = await beside(async ({ there, turnPath }) => {
      const stream = await new EventStream(`${there.url}${turnPath}/regenerate/stream`, { body: {} }).done();
      return { status: stream.status, headers: {}, text: stream.text, json: stream.json };
    });
    expect(answered).toMatchObject({ status: 409, json: { code: 'turn_in_progress' } });
  });

  const works: readonly [string, (scene: Beside) => Promise<Answer>, object][] = [
    ['PATCH', ({ there, path }) => there.patch(path, { displayName: 'n' }), { displayName: 'n', messageCount: 2 }],
    ['the session', ({ there, path }) => there.get(path), { messageCount: 2 }],
    [
      'the messages',
      ({ there, path }) => there.get(`${path}/messages`),
      { messages: [{ content: 'one' }, { content: 'answer 1' }] },
    ],
    ['count-tokens', ({ there, path }) => there.post(`${path}/count-tokens`, {}), { totalTokens: 7 }],
    ['a fork', ({ there, path }) => there.post(`${path}/fork`, {}), { messageCount: 2 }],
    ['the running turn', ({ there, path, runningId }) => there.get(`${path}/turns/${runningId}`), { state: 'RUNNING' }],
    ['the turn before', ({ there, turnPath }) => there.get(turnPath), { state: 'COMMITTED' }],
  ];
  test.each(works)('%s works on what is committed', async (_name, act, expected) => {
    const { answered, path, ending } = await beside(act);
    expect(answered.status, answered.text).toBeLessThan(300);
    expect(answered.json).toMatchObject(expected);
    expect(ending).toBe('turn.committed');
    expect(await replicas.there.history(path)).toHaveLength(4);
  });

  test('a fork does not get the turn when it ends', async () => {
    const { answered } = await beside(({ there, path }) => there.post(`${path}/fork`, {}));
    expect(await replicas.there.history(String(answered.headers.location))).toEqual(HISTORY);
  });

  test('a change of the configuration is in the version that the turn commits under', async () => {
    const { answered, path } = await beside(({ there, path }) => there.patch(path, { displayName: 'n' }));
    const { json } = await replicas.there.get(path);
    expect([answered.json.version, json.version]).toEqual([3, 4]);
  });

  test('deletion ends it, and nothing of it comes back', async () => {
    const { answered, path, ending, runningId } = await beside(({ there, path }) => there.delete(path));
    expect(answered.status).toBe(204);
    expect(ending).toBe('turn.cancelled');
    for (const client of [replicas.here, replicas.there]) {
      for (const gone of [path, `${path}/messages`, `${path}/turns/${runningId}`]) {
        await until('it is gone', async () => (await client.get(gone)).status === 404);
      }
    }
  });
});
