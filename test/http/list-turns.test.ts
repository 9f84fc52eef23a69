// GET …/turns on two replicas: every turn as it is read alone, newest first, whatever happens while one pages.

import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { BeginTurn } from '../../src/chat/claim.ts';
import { encodeTurn } from '../../src/chat/records.ts';
import { queuedTurn, startedTurn, type TurnStart } from '../../src/chat/turn.ts';
import { aTurn } from '../store/builders.ts';
import { send } from '../support/client.ts';
import { configOf, openRedisStore } from '../support/redis-stores.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { asJson, asStream, event, said, type UpstreamCall } from '../support/upstream.ts';

type Body = { readonly contents: readonly { readonly parts: readonly { readonly text?: string }[] }[] };
const questionOf = ({ body }: UpstreamCall) => (JSON.parse(body) as Body).contents.at(-1)?.parts[0]?.text ?? '';

const USAGE = { promptTokenCount: 3, candidatesTokenCount: 4, totalTokenCount: 7 };
const candidate = (index: number, finishReason: string) => {
  return { index, content: { role: 'model', parts: [{ text: `answer ${index}` }] }, finishReason };
};

/** `hold` is answered by half a sentence, the others as their names say. */
function answering(response: Parameters<typeof asStream>[0], call: UpstreamCall) {
  const question = questionOf(call);
  if (question === 'hold') return asStream(response).write(event(said('half ')));
  if (question === 'fail') return asJson(response, 400, { error: { code: 400, message: 'Never.' } });
  const candidates = [candidate(0, question === 'block' ? 'SAFETY' : 'STOP')];
  if (question === 'two') candidates.push(candidate(1, 'STOP'));
  asJson(response, 200, { candidates, usageMetadata: USAGE });
}

interface ListedTurn {
  readonly turnId: string;
  readonly state: string;
}

let replicas: Replicas;
let path: string;
beforeAll(async () => {
  // A test of them writes to Redis itself.
  replicas = await startReplicas(answering, { env: { HISTORY_KEYS_FILE: '' } });
});
beforeEach(async () => {
  path = await replicas.here.session();
});
afterAll(() => replicas[Symbol.asyncDispose]());

async function list(client = replicas.there): Promise<readonly ListedTurn[]> {
  const { status, json } = await client.get(`${path}/turns`);
  expect([status, Object.keys(json)]).toEqual([200, ['turns']]);
  return json.turns;
}

/** Its turn has the name of its question. */
async function ask(message: string): Promise<string> {
  await replicas.here.post(`${path}/messages`, { message, turnId: message });
  return message;
}

/** One that runs here, until it is cancelled. */
async function hold(turnId: string) {
  const stream = replicas.here.stream(path, { message: 'hold', turnId });
  await stream.until('it runs', () => stream.answer() !== '');
  return stream;
}

async function enqueue(message: string, client = replicas.there) {
  const stream = client.stream(path, { message, turnId: message, onBusy: 'enqueue' });
  await stream.until('it waits', ({ types }) => types[0] === 'turn.queued');
  return stream;
}

const cancel = (turnId: string) => replicas.there.post(`${path}/turns/${turnId}/cancel`);

describe('the turns of a session', () => {
  test('are none at first', async () => {
    expect(await list()).toEqual([]);
  });

  test('are listed newest first, in every state, and each as it is read alone', async () => {
    const { here, there } = replicas;
    for (const message of ['commit', 'block', 'fail']) await ask(message);
    const cancelled = await hold('cancel');
    await cancel('cancel');
    await cancelled.done();
    const running = await hold('running');
    const queued = await enqueue('queued');
    const left = await enqueue('left');
    await cancel('left');
    await left.done();
    for (const client of [here, there]) {
      const turns = await list(client);
      expect(turns.map(({ turnId, state }) => [turnId, state])).toEqual([
        ['left', 'CANCELLED'],
        ['queued', 'QUEUED'],
        ['running', 'RUNNING'],
        ['cancel', 'CANCELLED'],
        ['fail', 'FAILED'],
        ['block', 'BLOCKED'],
        ['commit', 'COMMITTED'],
      ]);
      for (const turn of turns) expect((await client.get(`${path}/turns/${turn.turnId}`)).json).toEqual(turn);
      const usage = { promptTokens: 3, outputTokens: 4, totalTokens: 7 };
      for (const turn of turns.slice(-2)) expect(turn).toMatchObject({ usage, text: 'answer 0' });
    }
    await cancel('running');
    await Promise.all([running.done(), queued.done()]);
  });

  test('have all candidates while they own the last messages, and the chosen one afterwards', async () => {
    const ids = ['first', 'second'];
    for (const turnId of ids) {
      await replicas.here.post(`${path}/messages`, { message: 'two', turnId, candidateCount: 2 });
    }
    const turns = await list();
    expect(turns).toMatchObject([
      { turnId: 'second', candidates: [{ index: 0 }, { index: 1 }] },
      { turnId: 'first', candidates: [{ index: 0 }] },
    ]);
  });

  test('say after a rewind which of them are superseded', async () => {
    for (const message of ['one', 'other']) await ask(message);
    await replicas.here.post(`${path}/rewind`, { toLength: 2 });
    const [other, one] = await list();
    expect(other).toMatchObject({ turnId: 'other', superseded: true });
    expect(other).not.toHaveProperty('messages');
    expect(one).toMatchObject({ turnId: 'one', messages: [expect.any(String), expect.any(String)] });
    expect(one).not.toHaveProperty('superseded');
  });

  test('whose process is dead are shown as FAILED, in line as well, and the session is free', async () => {
    const { there, prefix } = replicas;
    const sessionId = path.split('/').at(-1) ?? '';
    const key = { owner: 'anyone', sessionId };
    await using dead = await openDead(prefix);
    const start = (turnId: string): TurnStart => {
      const createTime = new Date().toISOString();
      return { sessionId, turnId, model: 'm', createTime, sent: { messages: 1, omittedMessages: 0 } };
    };
    const lost = (turnId: string, onBusy: BeginTurn['onBusy']): BeginTurn => {
      const line = { places: 2, record: encodeTurn(queuedTurn(start(turnId))) };
      return aTurn({ turnId, onBusy, line, record: encodeTurn(startedTurn(start(turnId))), leaseMs: 1 });
    };
    await dead.store.begin(key, lost('running', 'reject'));
    await dead.store.begin(key, lost('waiting', 'enqueue'));
    await until('their leases are over', async () => {
      const turns = await list();
      return turns.every(({ state }) => state === 'FAILED');
    });
    const problem = { code: 'producer_lost' };
    expect(await list()).toMatchObject([
      { turnId: 'waiting', problem },
      { turnId: 'running', problem },
    ]);
    expect((await there.post(`${path}/messages`, { message: 'again' })).json.state).toBe('COMMITTED');
  });
});

async function openDead(prefix: string) {
  const store = await openRedisStore(configOf(inject('redisUrl'), prefix));
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

describe('pages of turns', () => {
  /** The ids of all pages, from both replicas in turns; `between` takes place after each page. */
  async function walk(pageSize: number, between: (pages: number) => Promise<unknown> = async () => undefined) {
    const walked: string[] = [];
    let token = '';
    for (let pages = 1; ; pages += 1) {
      const client = pages % 2 ? replicas.there : replicas.here;
      const { status, json } = await client.get(`${path}/turns?pageSize=${pageSize}${token}`);
      expect(status).toBe(200);
      expect(json.turns.length).toBeLessThanOrEqual(pageSize);
      walked.push(...json.turns.map(({ turnId }: ListedTurn) => turnId));
      if (json.nextPageToken === undefined) return walked;
      token = `&pageToken=${encodeURIComponent(json.nextPageToken)}`;
      await between(pages);
    }
  }

  test.each([1, 2, 3, 200])('of %i have each turn once', async (pageSize) => {
    const turnIds = [];
    for (const message of ['a', 'b', 'fail', 'c', 'block', 'd']) turnIds.push(await ask(message));
    expect(await walk(pageSize)).toEqual(turnIds.toReversed());
  });

  test('have 50 turns when nothing is said', async () => {
    for (let i = 0; i < 51; i += 1) await ask(`turn-${i}`);
    const { json } = await replicas.there.get(`${path}/turns`);
    expect(json.turns).toHaveLength(50);
    const rest = await replicas.here.get(`${path}/turns?pageToken=${json.nextPageToken}`);
    expect(rest.json.turns.map(({ turnId }: ListedTurn) => turnId)).toEqual(['turn-0']);
    expect(rest.json).not.toHaveProperty('nextPageToken');
  });

  test('miss none and repeat none while turns end, begin and come', async () => {
    for (const message of ['a', 'b', 'c']) await ask(message);
    const holder = await hold('holder');
    const [first, second] = [await enqueue('first'), await enqueue('second', replicas.here)];
    const walked = await walk(1, async (pages) => {
      if (pages === 1) {
        await cancel('holder');
        await Promise.all([holder.done(), first.done(), second.done()]);
      } else await ask(`new-${pages}`);
    });
    expect(walked).toEqual(['second', 'first', 'holder', 'c', 'b', 'a']);
    expect((await walk(4)).slice(-6)).toEqual(walked);
  });
});

describe('a page of turns is refused', () => {
  test('for a token that is none, or of another list', async () => {
    const { here, there } = replicas;
    await ask('a');
    await here.session();
    const ofMessages = (await here.get(`${path}/messages?pageSize=1`)).json.nextPageToken;
    const ofSessions = (await here.get('/v1/sessions?pageSize=1')).json.nextPageToken;
    for (const token of [ofMessages, ofSessions, '', 'x', 'turn-', 'turn-x.a', 'turn-1.a b', '💥', 'x'.repeat(512)]) {
      const { status, json } = await there.get(`${path}/turns?pageToken=${encodeURIComponent(token)}`);
      expect([token, status, json.code]).toEqual([token, 400, 'invalid_page_token']);
    }
  });

  test.each(['pageSize=0', 'pageSize=201', 'pageSize=x', 'pageSize=1.5', 'order=asc', `pageToken=${'x'.repeat(513)}`])(
    'for ?%s',
    async (query) => {
      const { status, json } = await replicas.there.get(`${path}/turns?${query}`);
      expect([status, json.code]).toEqual([400, 'invalid_argument']);
    },
  );

  test('without a session, as anything but JSON, and by another method', async () => {
    const { there } = replicas;
    expect((await there.get('/v1/sessions/nobody/turns')).json).toMatchObject({
      status: 404,
      code: 'session_not_found',
    });
    expect((await there.get(`${path}/turns`, { accept: 'text/event-stream' })).status).toBe(406);
    for (const method of ['POST', 'HEAD', 'DELETE']) {
      expect((await send(`${there.url}${path}/turns`, method)).status).toBe(405);
    }
  });
});
