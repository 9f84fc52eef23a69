// Twenty changes of one history at the same time, on two replicas: each is made whole or refused whole, in some order.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import type { Answer, Client } from '../support/client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { answer } from '../support/upstream.ts';

let emulator: Emulator;
let replicas: Replicas;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
  replicas = await startReplicas((response, call) => answer(response, call, 'never'), {
    env: { VERTEX_AI_EMULATOR_HOST: emulator.address, LEDGER_TURNS_MAX: '1000' },
  });
});
afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await emulator.close();
});

interface Scene {
  readonly path: string;
  /** The newest turn, which has three candidates. */
  readonly turnId: string;
  readonly base: number;
}

async function answered(): Promise<Scene> {
  const { here } = replicas;
  const path = await here.session({});
  for (const message of ['one', 'two']) await here.post(`${path}/messages`, { message });
  const turn = (await here.post(`${path}/messages`, { message: 'three', candidateCount: 3 })).json;
  expect(turn.candidates).toHaveLength(3);
  return { path, turnId: turn.turnId, base: turn.sessionVersion };
}

type Act = (client: Client, scene: Scene, n: number) => Promise<Answer>;

const choose: Act = (client, { path, turnId }, n) =>
  client.post(`${path}/turns/${turnId}/choose`, { candidate: 1 + (n % 2) });
const bring: Act = (client, { path }, n) =>
  client.post(`${path}/messages/import`, {
    messages: [
      { author: 'user', content: `q${n}` },
      { author: 'bot', content: `a${n}` },
    ],
  });
const regenerate: Act = (client, { path, turnId }) => client.post(`${path}/turns/${turnId}/regenerate`);
const rewind: Act = (client, { path }, n) => client.post(`${path}/rewind`, { toLength: 2 + 2 * (n % 2) });
const rename: Act = (client, { path }, n) => client.patch(path, { displayName: `n${n}` });

function atOnce(scene: Scene, acts: readonly Act[]): Promise<readonly Answer[]> {
  const { here, there } = replicas;
  const calls = Array.from({ length: 20 }, (_, n) => acts[n % acts.length]?.(n % 2 ? here : there, scene, n));
  return Promise.all(calls.filter((call) => call !== undefined));
}

interface Read {
  readonly id: string;
  readonly author: string;
  readonly content: string;
}

/** The history as both replicas read it: whole exchanges, each message once, and a valid next request. */
async function endsWell({ path }: Scene): Promise<{ version: number; messages: readonly Read[] }> {
  const { here, there } = replicas;
  const [session, other] = [(await here.get(path)).json, (await there.get(path)).json];
  expect(other).toEqual(session);
  expect(session).not.toHaveProperty('activeTurn');
  const { messages } = (await here.get(`${path}/messages?pageSize=200`)).json;
  expect(messages).toHaveLength(session.messageCount);
  expect(messages.map(({ author }: Read) => author)).toEqual(
    messages.map((_: Read, index: number) => (index % 2 === 0 ? 'user' : 'bot')),
  );
  expect(new Set(messages.map(({ id }: Read) => id)).size).toBe(messages.length);
  const { json } = await there.post(`${path}/messages`, { message: 'and now?' });
  expect(json).toMatchObject({ state: 'COMMITTED', sent: { messages: messages.length + 1 } });
  return { version: session.version, messages };
}

const succeeded = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 200);

test('twenty imports are all made, one after the other', async () => {
  const scene = await answered();
  const answers = await atOnce(scene, [bring]);
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  const { version, messages } = await endsWell(scene);
  expect(version).toBe(scene.base + 20);
  const versions = answers.map(({ json }) => json.version).toSorted((a, b) => a - b);
  expect(versions[0]).toBeGreaterThan(scene.base);
  expect(versions.at(-1)).toBe(version);
  const brought = messages.slice(6).map(({ content }) => content);
  for (let at = 0; at < brought.length; at += 2) expect(brought[at + 1]).toBe(brought[at]?.replace('q', 'a'));
  expect(new Set(brought).size).toBe(40);
});

test('twenty choices are all made; the last one stands, in the history and in the turn', async () => {
  const scene = await answered();
  const answers = await atOnce(scene, [choose]);
  expect(answers.map(({ status, json }) => [status, json.code])).toEqual(Array(20).fill([200, undefined]));
  const turn = (await replicas.here.get(`${scene.path}/turns/${scene.turnId}`)).json;
  const { version, messages } = await endsWell(scene);
  // Choosing what is chosen changes nothing.
  expect(version).toBeGreaterThan(scene.base);
  expect(version).toBeLessThanOrEqual(scene.base + 20);
  expect(turn).toMatchObject({ sessionVersion: version, messages: messages.slice(-2).map(({ id }) => id) });
  expect(messages.at(-1)?.content).toBe(turn.text);
  expect(turn.candidates).toHaveLength(3);
});

test('of twenty choices under the same version one is made', async () => {
  const scene = await answered();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => {
      const client = n % 2 ? replicas.here : replicas.there;
      const body = { candidate: 1 + (n % 2) };
      return client.post(`${scene.path}/turns/${scene.turnId}/choose`, body, { 'if-match': `"${scene.base}"` });
    }),
  );
  expect(succeeded(answers)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 412)).toHaveLength(19);
  expect((await endsWell(scene)).version).toBe(scene.base + 1);
});

test('of twenty regenerations one at a time has the session, and one replaces the answer', async () => {
  const scene = await answered();
  const answers = await atOnce(scene, [regenerate]);
  expect(succeeded(answers)).toHaveLength(1);
  const codes = answers.filter(({ status }) => status !== 200).map(({ json }) => json.code);
  for (const code of codes) expect(['turn_in_progress', 'not_latest_turn']).toContain(code);
  const { version, messages } = await endsWell(scene);
  expect(version).toBe(scene.base + 1);
  expect(messages.at(-1)?.id).toBe(succeeded(answers)[0]?.json.messages[1]);
});

const ROUNDS = Array.from({ length: 5 }, (_, round) => [round]);

/** Whoever is refused is told what is so, and that it may be otherwise later only where it may. */
function expectWellRefused({ status, json }: Answer): void {
  expect([200, 400, 409], JSON.stringify(json)).toContain(status);
  if (status === 409) expect(['turn_in_progress', 'not_latest_turn']).toContain(json.code);
  // A length that the history does not have (any more).
  if (status === 400) expect(json.errors[0].path).toBe('/toLength');
}

test.each(ROUNDS)('imports, regenerations and patches make as many versions as succeed (%i)', async () => {
  const scene = await answered();
  const answers = await atOnce(scene, [bring, regenerate, rename]);
  for (const one of answers) expectWellRefused(one);
  const { version } = await endsWell(scene);
  expect(version).toBe(scene.base + succeeded(answers).length);
});

test.each(ROUNDS)('with choices and rewinds among them, which may find all done, no more (%i)', async () => {
  const scene = await answered();
  const answers = await atOnce(scene, [choose, bring, regenerate, rewind, rename]);
  for (const one of answers) expectWellRefused(one);
  const named = succeeded(answers).map(({ json }) => json.version ?? json.sessionVersion);
  const { version } = await endsWell(scene);
  expect(Math.max(...named)).toBe(version);
  expect(version - scene.base).toBeLessThanOrEqual(succeeded(answers).length);
});
