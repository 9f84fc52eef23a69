// POST …/turns/{turnId}/regenerate and …/regenerate/stream on two replicas: what is asked again, what it replaces, and that the
// old answer stands until it does.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, EventStream } from '../support/client.ts';
import {
  begunStream,
  FAILURES,
  held,
  historyText,
  type PlayedSession,
  type PlayedTurns,
  saysParts,
  startPlayed,
} from '../support/played-turns.ts';
import type { Script } from '../support/upstream.ts';

let played: PlayedTurns;
beforeAll(async () => {
  played = await startPlayed({ HISTORY_MESSAGES_MAX: '6' });
});
afterAll(() => played[Symbol.asyncDispose]());

const WAYS = ['regenerate', 'regenerate/stream'] as const;
type Way = (typeof WAYS)[number];

type Headers = Readonly<Record<string, string>>;

function streamAgain(client: Client, turnPath: string, body: object = {}, headers: Headers = {}): EventStream {
  return new EventStream(`${client.url}${turnPath}/regenerate/stream`, { body, headers });
}

/** The turn that comes of it, as everybody can read it afterwards. */
async function again(client: Client, way: Way, path: string, turnId: string, body: object = {}) {
  const turnPath = `${path}/turns/${turnId}`;
  const answer =
    way === 'regenerate'
      ? await client.post(`${turnPath}/regenerate`, body)
      : await streamAgain(client, turnPath, body).done();
  const headers = 'headers' in answer ? answer.headers : answer.response?.headers;
  expect(headers?.['turn-id'], JSON.stringify(answer.json)).toBeDefined();
  expect(headers?.location).toBe(`${path}/turns/${headers?.['turn-id']}`);
  return (await client.get(String(headers?.location))).json;
}

/** A session with a first turn, and one more, `it`, whose answer is `old`. */
async function answered(given: object = {}, body: object = {}): Promise<PlayedSession> {
  const session = await played.session(given);
  const { here } = played;
  await here.post(`${session.path}/messages`, { message: 'first' });
  session.plays(saysParts([{ text: 'old' }]));
  await here.post(`${session.path}/messages`, { message: 'Why?', turnId: 'it', ...body });
  return session;
}

/** That nothing has come of whatever happens, but a turn that says how it ended. */
async function standsThrough(path: string, act: () => Promise<unknown>): Promise<void> {
  const { here, there } = played;
  const seen = async (client: Client) => [
    await historyText(client, path),
    (await client.get(path)).json.version,
    (await client.get(`${path}/turns/it`)).text,
  ];
  const before = await seen(here);
  await act();
  expect(await seen(there)).toEqual(before);
}

const texts = async (path: string) => (await played.there.history(path)).map(([, content]) => content);

describe.each(WAYS)('%s', (way) => {
  test('asks the newest question again, and replaces question and answer when it commits', async () => {
    const { here, there } = played;
    const session = await answered({ context: 'Be terse.' });
    const before = (await here.get(`${session.path}/messages`)).json.messages;
    const asked = session.calls.at(-1)?.body;
    const turn = await again(there, way, session.path, 'it');
    expect(turn).toMatchObject({
      ...{ state: 'COMMITTED', text: 'answer 3', regenerates: 'it', sessionVersion: 4 },
      sent: { messages: 3, omittedMessages: 0 },
    });
    expect(session.calls.at(-1)?.body).toBe(asked);
    const { messages } = (await here.get(`${session.path}/messages`)).json;
    expect(messages.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(messages.slice(2)).toMatchObject([
      { author: 'user', content: 'Why?', turnId: turn.turnId, id: turn.messages[0] },
      { author: 'bot', content: 'answer 3', turnId: turn.turnId, id: turn.messages[1] },
    ]);
    const ids = [...before, ...messages.slice(2)].map(({ id }: { id: string }) => id);
    expect(new Set(ids).size).toBe(6);
    const old = (await here.get(`${session.path}/turns/it`)).json;
    expect(old).toMatchObject({ state: 'COMMITTED', text: 'old', superseded: true });
    expect(old).not.toHaveProperty('messages');
    expect((await here.get(session.path)).json).toMatchObject({ version: 4, messageCount: 4 });
  });

  test('can be done again and again, each time of the turn before', async () => {
    const { path } = await answered();
    let turnId = 'it';
    for (const n of [3, 4, 5]) {
      const turn = await again(played.there, way, path, turnId);
      expect(turn).toMatchObject({ text: `answer ${n}`, regenerates: turnId });
      expect(await texts(path)).toEqual(['first', 'answer 1', 'Why?', `answer ${n}`]);
      turnId = turn.turnId;
    }
  });

  test('has settings of its own; without them those of the session, not those of the old turn', async () => {
    const { there } = played;
    const session = await answered({ temperature: 0.5, topK: 7 }, { temperature: 0, candidateCount: 2, topK: null });
    await again(there, way, session.path, 'it');
    const configOf = () => JSON.parse(session.calls.at(-1)?.body ?? '').generationConfig;
    expect(configOf()).toEqual({ temperature: 0.5, topK: 7 });
    const { turnId } = (await there.get(`${session.path}/turns`)).json.turns[0];
    session.plays(saysParts([{ text: 'zero' }], [{ text: 'one' }]));
    const body = { temperature: 1, topK: null, candidateCount: 2, stopSequences: [] };
    const turn = await again(there, way, session.path, turnId, body);
    expect(configOf()).toEqual({ temperature: 1, candidateCount: 2, stopSequences: [] });
    expect(turn.candidates).toHaveLength(2);
    const chosen = await there.post(`${session.path}/turns/${turn.turnId}/choose`, { candidate: 1 });
    expect(chosen.json).toMatchObject({ chosenCandidate: 1, regenerates: turnId });
    expect((await texts(session.path)).at(-1)).toBe('one');
  });

  test.each(Object.entries(FAILURES))('that is %s leaves the old answer as it was, all of it', async (_how, script) => {
    const session = await answered();
    session.plays(script);
    let ended = { turnId: '', state: '' };
    await standsThrough(session.path, async () => {
      ended = await again(played.there, way, session.path, 'it');
    });
    expect(ended.state).toMatch(/^(FAILED|BLOCKED)$/);
    expect(ended).not.toHaveProperty('messages');
    // Asked again, it replaces what the first try was to replace.
    const turn = await again(played.here, way, session.path, ended.turnId);
    expect(turn).toMatchObject({ state: 'COMMITTED', regenerates: 'it' });
    expect(await texts(session.path)).toEqual(['first', 'answer 1', 'Why?', 'answer 4']);
  });

  test.each(Object.entries(FAILURES))('of a turn that is %s sends its question', async (_how, script) => {
    const { here, there } = played;
    const session = await played.session();
    await here.post(`${session.path}/messages`, { message: 'first' });
    session.plays(script);
    await here.post(`${session.path}/messages`, { message: 'Why?', turnId: 'failed' });
    const asked = session.calls.at(-1)?.body;
    const turn = await again(there, way, session.path, 'failed');
    expect(turn).toMatchObject({ state: 'COMMITTED', regenerates: 'failed', sent: { messages: 3 } });
    expect(session.calls.at(-1)?.body).toBe(asked);
    expect(await texts(session.path)).toEqual(['first', 'answer 1', 'Why?', 'answer 3']);
    const failed = (await here.get(`${session.path}/turns/failed`)).json;
    expect(failed).not.toHaveProperty('superseded');
    const second = await there.post(`${session.path}/turns/failed/regenerate`);
    expect([second.status, second.json.code]).toEqual([409, 'not_latest_turn']);
  });

  test('sends every part of the question as it was, and the answers before it', async () => {
    const { here, there } = played;
    const session = await played.session();
    const called = [
      { text: 'thinking', thought: true },
      { functionCall: { name: 'f', args: {} }, thoughtSignature: 'x+/=' },
    ];
    session.plays(saysParts(called));
    await here.post(`${session.path}/messages`, { message: 'Call.' });
    const parts = [{ functionResponse: { name: 'f', response: { a: 0.1, b: ['\u2028', null] } } }];
    session.plays(FAILURES.FAILED);
    const failed = (await here.post(`${session.path}/messages`, { parts })).json.turnId;
    const first = await again(there, way, session.path, failed);
    expect(first.state).toBe('COMMITTED');
    const second = await again(there, way, session.path, first.turnId);
    expect(second.state).toBe('COMMITTED');
    for (const call of session.calls.slice(1)) {
      expect(call.body).toContain(`"parts":${JSON.stringify(called)}`);
      expect(call.body).toContain(`"parts":${JSON.stringify(parts)}`);
      expect(JSON.parse(call.body).contents).toHaveLength(3);
    }
    expect((await here.get(`${session.path}/messages`)).json.messages[2].parts).toEqual(parts);
  });

  test('may leave other calls open than the answer before', async () => {
    const { here, there } = played;
    const session = await answered();
    session.plays(saysParts([{ functionCall: { name: 'f', args: {} } }]));
    const turn = await again(there, way, session.path, 'it');
    expect((await here.post(`${session.path}/messages`, { message: 'And?' })).status).toBe(400);
    await again(there, way, session.path, turn.turnId);
    expect((await here.post(`${session.path}/messages`, { message: 'And?' })).json.state).toBe('COMMITTED');
  });

  test('of a turn that was cancelled with a part of its answer replaces that', async () => {
    const { here, there } = played;
    const session = await played.session();
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(here.stream(session.path, { message: 'Why?', turnId: 'half' }));
    await there.post(`${session.path}/turns/half/cancel`, { keep: 'partial' });
    await stream.done();
    expect(await texts(session.path)).toEqual(['Why?', 'half ']);
    expect(await again(there, way, session.path, 'half')).toMatchObject({ state: 'COMMITTED', regenerates: 'half' });
    expect(await texts(session.path)).toEqual(['Why?', 'answer 2']);
  });

  test('has a place in a history that is full', async () => {
    const { here, there } = played;
    const session = await answered();
    await here.post(`${session.path}/messages`, { message: 'last', turnId: 'last' });
    expect((await here.post(`${session.path}/messages`, { message: 'more' })).json.code).toBe('history_full');
    expect(await again(there, way, session.path, 'last')).toMatchObject({ state: 'COMMITTED' });
    expect(await texts(session.path)).toHaveLength(6);
  });

  test('is sent without a body, and is refused with one that is not its own', async () => {
    const { there } = played;
    const session = await answered();
    await standsThrough(session.path, async () => {
      for (const [body, field] of [
        [{ message: 'Why not?' }, '/message'],
        [{ parts: [{ text: 'x' }] }, '/parts'],
        [{ temperature: 'hot' }, '/temperature'],
        [{ onBusy: 'wait' }, '/onBusy'],
        [{ responseJsonSchema: {} }, '/responseJsonSchema'],
      ] as const) {
        const { status, json } = await there.post(`${session.path}/turns/it/${way}`, body, { accept: '*/*' });
        expect([status, json.errors[0].path]).toEqual([400, field]);
      }
    });
    const { status } = await there.post(`${session.path}/turns/it/${way}`, undefined, { accept: '*/*' });
    expect(status).toBe(200);
    expect(await texts(session.path)).toHaveLength(4);
  });

  test('is refused for what is not the newest, is not there, or never ran', async () => {
    const { here, there } = played;
    const session = await answered();
    const half = held();
    const refused = async (turnId: string, code = 'not_latest_turn') => {
      const { status, json } = await there.post(`${session.path}/turns/${turnId}/${way}`, {}, { accept: '*/*' });
      expect([status, json.code]).toEqual([code === 'not_latest_turn' ? 409 : 404, code]);
      expect(json).not.toHaveProperty('turnId');
    };
    const [, second] = (await here.get(`${session.path}/turns`)).json.turns;
    session.plays(half.script);
    const running = await begunStream(here.stream(session.path, { message: 'x', turnId: 'running' }));
    const queued = here.stream(session.path, { message: 'y', turnId: 'waits', onBusy: 'enqueue' });
    await queued.until('it waits', ({ types }) => types.includes('turn.queued'));
    for (const turnId of ['waits', 'running']) await here.post(`${session.path}/turns/${turnId}/cancel`);
    await Promise.all([running.done(), queued.done()]);
    await standsThrough(session.path, async () => {
      await refused('waits');
      await refused(second.turnId);
      await refused('nobody', 'turn_not_found');
    });
    expect((await there.post(`/v1/sessions/nobody/turns/it/${way}`, {}, { accept: '*/*' })).status).toBe(404);
    await here.post(`${session.path}/messages/import`, { messages: [{ author: 'bot', content: 'and' }] });
    await refused('it');
    await here.post(`${session.path}/rewind`, { toLength: 2 });
    await refused('it');
    expect(await again(there, way, session.path, second.turnId)).toMatchObject({ state: 'COMMITTED' });
    await refused('running');
  });

  test('under another version than it names is refused, before it has begun', async () => {
    const { there } = played;
    const session = await answered();
    const send = (version: string) =>
      there.post(`${session.path}/turns/it/${way}`, {}, { 'if-match': version, accept: '*/*' });
    await standsThrough(session.path, async () => {
      const { status, json } = await send('"1"');
      expect([status, json.code, json.currentVersion]).toEqual([412, 'version_mismatch', 3]);
    });
    expect((await send('"3"')).status).toBe(200);
    expect((await there.get(session.path)).json.version).toBe(4);
  });
});

describe('the new turn', () => {
  test('has the id that its caller chose, which has to be free', async () => {
    const { there } = played;
    const session = await answered();
    const taken = await there.post(`${session.path}/turns/it/regenerate`, { turnId: 'it' });
    expect([taken.status, taken.json.code]).toEqual([409, 'turn_exists']);
    const { status, json, headers } = await there.post(`${session.path}/turns/it/regenerate`, { turnId: 'mine' });
    expect([status, json.turnId, headers['turn-id']]).toEqual([200, 'mine', 'mine']);
  });

  test('is answered at once where that is preferred, and goes on', async () => {
    const { here, there } = played;
    const session = await answered();
    const half = held();
    session.plays(half.script);
    const { status, json, headers } = await there.post(
      `${session.path}/turns/it/regenerate`,
      {},
      { prefer: 'respond-async' },
    );
    expect([status, json.state, json.regenerates]).toEqual([202, 'RUNNING', 'it']);
    expect(headers['preference-applied']).toBe('respond-async');
    expect((await here.get(session.path)).json.activeTurn.turnId).toBe(json.turnId);
    half.release();
    const seen = await here.events(`${headers.location}/events`).done();
    expect(seen.terminal).toMatchObject({ event: 'turn.committed', data: { regenerates: 'it' } });
    expect((await texts(session.path)).at(-1)).toBe('half and half');
  });

  test('is seen from its beginning or from anywhere in it, on the other replica, by its followers, too', async () => {
    const { here, there } = played;
    const session = await answered();
    const follower = here.events(`${session.path}/events`);
    await follower.until('it follows', ({ comments }) => comments.length > 0);
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(streamAgain(there, `${session.path}/turns/it`, { turnId: 'new' }));
    expect(stream.events[0]).toMatchObject({
      event: 'turn.started',
      data: { regenerates: 'it', sent: { messages: 3 } },
    });
    await standsThrough(session.path, async () => undefined);
    const eventsPath = `${session.path}/turns/new/events`;
    const viewers = [
      here.events(eventsPath),
      here.events(eventsPath, { 'last-event-id': String(stream.events[0]?.id) }),
      there.events(`${eventsPath}?after=${stream.events[1]?.id}`),
    ];
    half.release();
    await stream.done();
    for (const [skipped, viewer] of viewers.entries()) {
      expect((await viewer.done()).events).toEqual(stream.events.slice(skipped));
    }
    await follower.until('its end', ({ terminal }) => terminal !== undefined);
    expect(follower.events).toEqual(stream.events);
    follower.hangUp();
    expect(stream.types).toEqual([
      ...['turn.started', 'candidate.delta', 'candidate.delta', 'candidate.finished', 'turn.committed'],
    ]);
  });

  test('that is cancelled leaves the old answer; kept in part, it replaces it', async () => {
    const { here, there } = played;
    const session = await answered();
    const halves = [held(), held()];
    session.plays(...halves.map(({ script }) => script));
    await standsThrough(session.path, async () => {
      const stream = await begunStream(streamAgain(there, `${session.path}/turns/it`, { turnId: 'one' }));
      expect((await here.post(`${session.path}/turns/one/cancel`)).json).toMatchObject({ state: 'CANCELLED' });
      expect((await stream.done()).terminal?.event).toBe('turn.cancelled');
    });
    const stream = await begunStream(streamAgain(there, `${session.path}/turns/it`, { turnId: 'two' }));
    const { json } = await here.post(`${session.path}/turns/two/cancel`, { keep: 'partial' });
    await stream.done();
    expect(json).toMatchObject({ state: 'CANCELLED', regenerates: 'it' });
    expect(json.messages).toHaveLength(2);
    expect(await texts(session.path)).toEqual(['first', 'answer 1', 'Why?', 'half ']);
    expect((await here.get(`${session.path}/turns/it`)).json.superseded).toBe(true);
  });

  test.each([
    ['cancel', 'CANCELLED', 'old'],
    ['continue', 'COMMITTED', 'half and half'],
  ] as const)('whose client goes, with onDisconnect %s, is %s', async (onDisconnect, state, last) => {
    const { here, there } = played;
    const session = await answered();
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(streamAgain(there, `${session.path}/turns/it`, { turnId: 'new', onDisconnect }));
    stream.hangUp();
    if (onDisconnect === 'cancel') await half.aborted;
    half.release();
    const viewer = await here.events(`${session.path}/turns/new/events`).done();
    // Nothing comes after the end.
    expect(viewer.status === 204 || viewer.terminal !== undefined).toBe(true);
    expect((await here.get(`${session.path}/turns/new`)).json.state).toBe(state);
    expect((await texts(session.path)).at(-1)).toBe(last);
  });
});

describe('beside a running turn, a regeneration', () => {
  /** `it` is the last turn of the history, and another one runs. */
  async function busy(script?: Script) {
    const session = await answered();
    const half = held();
    session.plays(script ?? half.script);
    const running = await begunStream(played.here.stream(session.path, { message: 'more', turnId: 'running' }));
    return { ...session, session, running, half, turnPath: `${session.path}/turns/it` };
  }

  const queued = (stream: EventStream) => stream.until('it waits', ({ types }) => types[0] === 'turn.queued');

  test('is refused, with the name of that turn, unless it says otherwise', async () => {
    const { there } = played;
    const { path, half, running, turnPath } = await busy();
    for (const answer of [
      await there.post(`${turnPath}/regenerate`),
      await streamAgain(there, turnPath, { onBusy: 'reject' }).done(),
    ]) {
      expect(answer).toMatchObject({
        status: 409,
        json: { code: 'turn_in_progress', activeTurn: { turnId: 'running' } },
      });
    }
    half.release();
    await running.done();
    expect(await texts(path)).toHaveLength(6);
  });

  test('waits, and ends as not_latest_turn when that turn commits', async () => {
    const { here, there } = played;
    const { path, half, running, turnPath, calls } = await busy();
    const stream = streamAgain(there, turnPath, { onBusy: 'enqueue', turnId: 'waits' });
    await queued(stream);
    const json = there.post(`${turnPath}/regenerate`, { onBusy: 'enqueue' });
    const asked = calls.length;
    expect((await here.get(`${path}/turns/waits`)).json).toMatchObject({ state: 'QUEUED', regenerates: 'it' });
    half.release();
    await Promise.all([running.done(), stream.done()]);
    expect(stream.types).toEqual(['turn.queued', 'turn.failed']);
    const problem = { code: 'not_latest_turn', status: 409, retryable: false };
    expect(stream.terminal?.data).toMatchObject({ state: 'FAILED', problem });
    expect(await json).toMatchObject({ status: 409, json: { code: 'not_latest_turn' } });
    expect((await here.get(`${path}/turns/waits`)).json).toMatchObject({ state: 'FAILED', problem });
    expect(calls).toHaveLength(asked);
    expect(await texts(path)).toHaveLength(6);
  });

  test('waits, and replaces when that turn does not commit', async () => {
    const { here, there } = played;
    const { path, running, turnPath, session } = await busy();
    const stream = streamAgain(there, turnPath, { onBusy: 'enqueue' });
    await queued(stream);
    session.plays();
    await here.post(`${path}/turns/running/cancel`);
    await Promise.all([running.done(), stream.done()]);
    expect(stream.terminal).toMatchObject({
      event: 'turn.committed',
      data: { regenerates: 'it', sent: { messages: 3 } },
    });
    expect(await texts(path)).toEqual(['first', 'answer 1', 'Why?', 'answer 4']);
  });

  test('interrupts it, and replaces', async () => {
    const { there } = played;
    const { path, running, turnPath } = await busy();
    const stream = await streamAgain(there, turnPath, { onBusy: 'interrupt' }).done();
    expect((await running.done()).terminal?.event).toBe('turn.cancelled');
    expect(stream.types[0]).toBe('turn.started');
    expect(stream.terminal?.event).toBe('turn.committed');
    expect(await texts(path)).toEqual(['first', 'answer 1', 'Why?', 'answer 4']);
  });

  test.each(WAYS)('of that turn itself interrupts it, and sends its question (%s)', async (way) => {
    const { there } = played;
    const { path, running } = await busy();
    const turn = await again(there, way, path, 'running', { onBusy: 'interrupt' });
    expect((await running.done()).terminal?.event).toBe('turn.cancelled');
    expect(turn).toMatchObject({ state: 'COMMITTED', regenerates: 'running', sent: { messages: 5 } });
    expect(await texts(path)).toEqual(['first', 'answer 1', 'Why?', 'old', 'more', 'answer 4']);
  });

  test('of that turn itself waits for its answer, and replaces it', async () => {
    const { there } = played;
    const { path, running, half } = await busy();
    const stream = streamAgain(there, `${path}/turns/running`, { onBusy: 'enqueue' });
    await queued(stream);
    half.release();
    await Promise.all([running.done(), stream.done()]);
    expect(running.terminal?.event).toBe('turn.committed');
    expect(stream.terminal).toMatchObject({ event: 'turn.committed', data: { sent: { messages: 5 } } });
    expect(await texts(path)).toEqual(['first', 'answer 1', 'Why?', 'old', 'more', 'answer 4']);
  });

  test('that regenerates the same answer is too late when that one commits', async () => {
    const { here, there } = played;
    const session = await answered();
    const half = held();
    session.plays(half.script);
    const first = await begunStream(streamAgain(here, `${session.path}/turns/it`));
    const second = streamAgain(there, `${session.path}/turns/it`, { onBusy: 'enqueue' });
    await queued(second);
    half.release();
    await Promise.all([first.done(), second.done()]);
    expect(second.terminal).toMatchObject({ event: 'turn.failed', data: { problem: { code: 'not_latest_turn' } } });
    expect(await texts(session.path)).toEqual(['first', 'answer 1', 'Why?', 'half and half']);
  });
});

describe('the same regeneration', () => {
  const key = (value: string) => ({ 'idempotency-key': value });

  test('joins its turn while it runs, and is told it afterwards, and nothing is asked twice', async () => {
    const { here, there } = played;
    const session = await answered();
    const turnPath = `${session.path}/turns/it`;
    const half = held();
    session.plays(half.script);
    const first = await begunStream(streamAgain(here, turnPath, { temperature: 0 }, key('k')));
    const second = await begunStream(streamAgain(there, turnPath, { temperature: 0 }, key('k')));
    const waits = there.post(`${turnPath}/regenerate`, { temperature: 0 }, key('"k"'));
    half.release();
    await Promise.all([first.done(), second.done()]);
    expect(second.events).toEqual(first.events);
    const turn = (await waits).json;
    expect(turn).toMatchObject({ state: 'COMMITTED', turnId: first.events[0]?.data.turnId });
    for (const client of [here, there]) {
      expect((await client.post(`${turnPath}/regenerate`, { temperature: 0 }, key('k'))).json).toEqual(turn);
      expect((await streamAgain(client, turnPath, { temperature: 0 }, key('k')).done()).events).toEqual(first.events);
    }
    expect(session.calls).toHaveLength(3);
    expect(await texts(session.path)).toHaveLength(4);
  });

  test('is answered again as it failed, and is made when it was refused before', async () => {
    const { here, there } = played;
    const session = await answered();
    const turnPath = `${session.path}/turns/it`;
    expect((await here.post(`${turnPath}/regenerate`, {}, { ...key('k'), 'if-match': '"1"' })).status).toBe(412);
    session.plays(FAILURES.FAILED);
    const first = await here.post(`${turnPath}/regenerate`, {}, key('k'));
    const second = await there.post(`${turnPath}/regenerate`, {}, key('k'));
    expect([first.status, second.status]).toEqual([422, 422]);
    expect(second.json).toEqual(first.json);
    expect(session.calls).toHaveLength(3);
  });

  test('is refused with another body, of another turn, and under the key of a send', async () => {
    const { here, there } = played;
    const session = await answered();
    const { path } = session;
    const turn = (await here.post(`${path}/turns/it/regenerate`, {}, key('k'))).json;
    const sent = (await here.post(`${path}/messages`, { message: 'more' }, key('sent'))).json;
    for (const [where, body, name] of [
      ['turns/it/regenerate', { temperature: 0 }, 'k'],
      [`turns/${turn.turnId}/regenerate`, {}, 'k'],
      [`turns/${sent.turnId}/regenerate`, {}, 'sent'],
      ['messages', { message: 'more' }, 'k'],
      ['messages/import', { messages: [{ author: 'bot', content: 'x' }] }, 'k'],
    ] as const) {
      const { status, json } = await there.post(`${path}/${where}`, body, key(name));
      expect([where, status, json.code]).toEqual([where, 422, 'idempotency_mismatch']);
    }
    expect(await texts(path)).toHaveLength(6);
  });
});
