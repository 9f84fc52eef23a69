// Every operation of the document × everybody who may call it: the owner, a stranger, nobody, and tokens that are good no
// longer or for something else. What belongs to somebody else is not there: the same status, headers and body as before it
// was made.

import { readFileSync } from 'node:fs';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Answer, type SendOptions, send } from '../support/client.ts';
import { bearer, Issuer } from '../support/issuer.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';

interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly isOpen: boolean;
  /** Answered by something that only the caller can see, whoever that is. */
  readonly isOfCaller: boolean;
}

const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));
const operations: readonly Operation[] = Object.entries<Record<string, { operationId: string; security?: [] }>>(
  document.paths,
).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, security }]) => ({
    operationId,
    method: method.toUpperCase(),
    path,
    isOpen: security?.length === 0,
    isOfCaller: !path.includes('{sessionId}'),
  })),
);

/** In everything that the owner puts into a session. */
const MARK = 'm4rk-of-the-owner';

/** A body that the owner is answered well for; an operation that is not here takes none, or fails the test of its owner. */
const BODIES: Readonly<Record<string, unknown>> = {
  createSession: {},
  updateSession: { displayName: `changed ${MARK}` },
  sendMessage: { message: `sent ${MARK}` },
  streamMessage: { message: `sent ${MARK}` },
  importMessages: {
    messages: [
      { author: 'user', content: `brought ${MARK}` },
      { author: 'bot', content: 'yes' },
    ],
  },
  rewindSession: { toLength: 2 },
  forkSession: {},
  cancelTurn: {},
  chooseCandidate: { candidate: 0 },
  regenerate: {},
  regenerateStream: {},
  countTokens: {},
};

const READS = ['countTokens'];
const isRead = ({ method, operationId }: Operation) => method === 'GET' || READS.includes(operationId);

type Caller = 'owner' | 'stranger' | 'nobody' | 'expired' | 'wrong audience' | 'wrong scope';
type Headers = Readonly<Record<string, string>>;

let issuer: Issuer;
let scene: ServiceScene;
let callers: Readonly<Record<Caller, Headers>>;

beforeAll(async () => {
  issuer = await Issuer.start();
  scene = await startScene(issuer.env);
  const token = async (sub: string, claims: JWTPayload = {}) => bearer(await issuer.token(sub, claims));
  callers = {
    owner: await token('alice'),
    stranger: await token('mallory'),
    nobody: {},
    expired: await token('alice', { exp: Math.floor(Date.now() / 1000) - 3600 }),
    'wrong audience': await token('alice', { aud: 'another-service' }),
    'wrong scope': await token('alice', { scope: 'read' }),
  };
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

interface Place {
  readonly sessionId: string;
  readonly turnId: string;
}

function call(operation: Operation, place: Place, headers: Headers, more: SendOptions = {}): Promise<Answer> {
  const path = operation.path.replace('{sessionId}', place.sessionId).replace('{turnId}', place.turnId);
  const body = BODIES[operation.operationId];
  return send(`${scene.service.url}${path}`, operation.method, {
    isEndless: path.endsWith('/events'),
    ...(body === undefined ? {} : { body }),
    headers,
    ...more,
  });
}

/** A session of the owner with a turn whose ids are known before they are there. */
async function makeSession({ sessionId, turnId }: Place): Promise<void> {
  const session = { id: sessionId, context: MARK, displayName: MARK, metadata: { mark: MARK } };
  expect((await scene.client.post('/v1/sessions', session, callers.owner)).status).toBe(201);
  const path = `/v1/sessions/${sessionId}/messages`;
  const sent = await scene.client.post(path, { message: MARK, turnId, candidateCount: 2 }, callers.owner);
  expect(sent.json.state).toBe('COMMITTED');
}

/** All that a caller can see of an answer, but the time of day. */
function seen({ status, headers, text }: Answer): object {
  const { date: _date, ...others } = headers;
  return { status, headers: others, text };
}

/** What the owner's session is: any write of somebody else would show. */
async function stateOf({ sessionId }: Place): Promise<unknown> {
  const path = `/v1/sessions/${sessionId}`;
  const parts = await Promise.all(
    [path, `${path}/messages`, `${path}/turns`].map((part) => scene.client.get(part, callers.owner)),
  );
  return parts.map(({ status, text }) => ({ status, text }));
}

test('every operation is closed, but for those that say nothing of anybody', () => {
  expect(operations.length).toBeGreaterThanOrEqual(25);
  const open = operations.filter(({ isOpen }) => isOpen).map(({ operationId }) => operationId);
  expect(open).toEqual(['livez', 'readyz', 'openapi']);
});

describe.each(operations.filter(({ isOpen }) => !isOpen))('$operationId', (operation) => {
  const { operationId, isOfCaller } = operation;
  const place = (name: string): Place => ({
    sessionId: `${name}-${operationId}`,
    turnId: `turn-${name}-${operationId}`,
  });

  test('answers its owner', async () => {
    await makeSession(place('own'));
    const { status } = await call(operation, place('own'), callers.owner);
    expect(status).toBeGreaterThanOrEqual(200);
    expect(status).toBeLessThan(300);
  });

  test('shows a stranger nothing, and lets him do nothing', async () => {
    const there = place('hidden');
    const before = await call(operation, there, callers.stranger);
    await makeSession(there);
    const state = await stateOf(there);
    const after = await call(operation, there, callers.stranger);
    expect(JSON.stringify(seen(after))).not.toContain(MARK);
    expect(await stateOf(there)).toEqual(state);
    if (isOfCaller) expect(after.status).toBe(before.status);
    else {
      expect(after.status).toBe(404);
      expect(seen(after)).toEqual(seen(before));
    }
  });

  test.each<Caller>(['nobody', 'expired', 'wrong audience'])('is not reached by: %s', async (caller) => {
    const there = place(caller.replace(' ', '-'));
    const before = await call(operation, there, callers[caller]);
    await makeSession(there);
    const state = await stateOf(there);
    const after = await call(operation, there, callers[caller]);
    expect(after.status).toBe(401);
    expect(after.headers['www-authenticate']).toMatch(/^Bearer /);
    expect(seen(after)).toEqual(seen(before));
    expect(await stateOf(there)).toEqual(state);
  });

  test('wrong scope: whoever reads reads, and changes nothing', async () => {
    const there = place('read-only');
    await makeSession(there);
    const state = await stateOf(there);
    const { status } = await call(operation, there, callers['wrong scope']);
    if (isRead(operation)) expect(status).toBeLessThan(300);
    else expect(status).toBe(403);
    expect(await stateOf(there)).toEqual(state);
  });

  test('no identity comes by the query', async () => {
    const there = place('query');
    await makeSession(there);
    const token = callers.owner.authorization?.split(' ')[1] ?? '';
    const asked = { ...operation, path: `${operation.path}?access_token=${token}&key=${token}` };
    expect((await call(asked, there, {})).status).toBe(401);
  });
});

test('a page token of somebody else leads into the own list', async () => {
  for (const name of ['p1', 'p2']) await makeSession({ sessionId: name, turnId: `turn-${name}` });
  const first = await scene.client.get('/v1/sessions?pageSize=1', callers.owner);
  const path = `/v1/sessions?pageSize=10&pageToken=${first.json.nextPageToken}`;
  const foreign = await scene.client.get(path, callers.stranger);
  expect(foreign.text).not.toContain(MARK);
  expect(foreign.status).toBe(200);
});

test('an idempotency key of somebody else is another key', async () => {
  const place = { sessionId: 'idem', turnId: 'turn-idem' };
  await makeSession(place);
  await scene.client.post('/v1/sessions', { id: 'idem' }, callers.stranger);
  const ask = (headers: Headers) =>
    scene.client.post('/v1/sessions/idem/messages', { message: 'same' }, { ...headers, 'idempotency-key': 'k' });
  const [mine, theirs] = [await ask(callers.owner), await ask(callers.stranger)];
  expect(theirs.json.turnId).not.toBe(mine.json.turnId);
  expect(theirs.json.messages).not.toEqual(mine.json.messages);
});

test('what runs in a session is not seen, joined, cancelled or blocked from a session of the same name', async () => {
  for (const headers of [callers.owner, callers.stranger]) {
    await scene.client.post('/v1/sessions', { id: 'twin' }, headers);
  }
  const send_ = (message: string, turnId: string, headers: Headers) =>
    scene.client.post('/v1/sessions/twin/messages', { message, turnId }, { ...headers, prefer: 'respond-async' });
  await send_(`first ${MARK}`, 'turn-twin', callers.owner);
  expect((await scene.client.get('/v1/sessions/twin', callers.stranger)).json.activeTurn).toBeUndefined();
  for (const path of ['', '/events', '/cancel']) {
    const method = path === '/cancel' ? 'POST' : 'GET';
    const answer = await send(`${scene.service.url}/v1/sessions/twin/turns/turn-twin${path}`, method, {
      headers: callers.stranger,
    });
    expect(answer.status, path).toBe(404);
  }
  expect((await send_('mine', 'turn-twin', callers.stranger)).status).toBeLessThan(300);
});
