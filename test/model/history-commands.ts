// What is done to sessions at random, and what the contract says must come of it.

import fc from 'fast-check';
import { expect } from 'vitest';
import {
  canRegenerate,
  KINDS,
  type Kind,
  type Model,
  type ModelMessage,
  type ModelSession,
  newModelSession,
  openCallsOf,
  ownerOfLast,
  same,
} from './history-model.ts';
import { ask, compare, newIdOf, questionOf, replicaOf, type World } from './history-world.ts';

/** Of a session that is picked by `at`, a number that is taken modulo what there is. */
type Act = (world: World, model: Model, session: ModelSession) => Promise<void>;

class Command implements fc.AsyncCommand<Model, World> {
  readonly #what: string;
  readonly #at: number;
  readonly #act: Act;

  constructor(what: string, at: number, act: Act) {
    this.#what = what;
    this.#at = at;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, world: World): Promise<void> {
    const session = pick(model.sessions, this.#at) ?? (await create(world, model));
    await this.#act(world, model, session);
    if (model.sessions.includes(session)) await compare(world, session);
  }

  toString(): string {
    return `${this.#what}(${this.#at})`;
  }
}

async function create(world: World, model: Model): Promise<ModelSession> {
  const { json } = await replicaOf(world).post('/v1/sessions', {});
  const session = newModelSession(`/v1/sessions/${json.id}`);
  model.sessions.push(session);
  return session;
}

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}

const at = fc.nat({ max: 1000 });
const isStream = fc.boolean();
const keep = fc.constantFrom('none', 'partial') as fc.Arbitrary<'none' | 'partial'>;

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: fc.tuple(at, fc.constantFrom(...KINDS), isStream, keep).map(sends) },
  { weight: 3, arbitrary: fc.tuple(at, isStream).map(responds) },
  { weight: 6, arbitrary: fc.tuple(at, at, isStream, keep).map(regenerates) },
  { weight: 5, arbitrary: fc.tuple(at, at, fc.nat({ max: 3 })).map(chooses) },
  { weight: 4, arbitrary: fc.tuple(at, at, fc.boolean()).map(rewinds) },
  { weight: 2, arbitrary: fc.tuple(at, at, fc.boolean()).map(forks) },
  {
    weight: 3,
    arbitrary: fc.tuple(at, fc.array(fc.constantFrom('user', 'bot'), { minLength: 1, maxLength: 4 })).map(imports),
  },
  { weight: 2, arbitrary: fc.tuple(at, fc.constantFrom('one', 'two', null), fc.boolean()).map(patches) },
  { weight: 1, arbitrary: at.map(deletes) },
);

function sends([where, kind, streams, keeps]: [number, Kind, boolean, 'none' | 'partial']): Command {
  return new Command(
    `send ${kind} ${streams ? 'stream' : 'json'} keep ${keeps}`,
    where,
    async (world, model, session) => {
      const question = questionOf(model, kind);
      const body = { message: question, ...(kind === 'candidates' ? { candidateCount: 3 } : {}) };
      if (openCallsOf(session).length > 0) return refused(world, session, '/messages', body, 400);
      await ask(world, model, session, {
        ...{ path: '/messages', body, kind, question, responses: [], isStream: streams, keep: keeps },
        ...{ isAgain: false, replaced: undefined },
      });
    },
  );
}

function responds([where, streams]: [number, boolean]): Command {
  return new Command('respond', where, async (world, model, session) => {
    const open = openCallsOf(session);
    const names = open.length > 0 ? open : ['lookUp'];
    const body = { parts: names.map((name) => ({ functionResponse: { name, response: { found: true } } })) };
    if (open.length === 0) return refused(world, session, '/messages', body, 400);
    await ask(world, model, session, {
      ...{ path: '/messages', body, kind: 'plain', question: '', responses: names, isStream: streams, keep: 'none' },
      ...{ isAgain: false, replaced: undefined },
    });
  });
}

function regenerates([where, which, streams, keeps]: [number, number, boolean, 'none' | 'partial']): Command {
  return new Command(`regenerate ${which}`, where, async (world, model, session) => {
    const turn = pick(session.turns.toReversed(), which);
    if (!turn) return refused(world, session, '/turns/none/regenerate', {}, 404);
    const path = `/turns/${turn.turnId}/regenerate`;
    const body = turn.kind === 'candidates' ? { candidateCount: 3 } : {};
    const how = canRegenerate(session, turn);
    if (!how) return refused(world, session, path, body, 409);
    // What it answers has to be open, unless it was when the answer was given that goes.
    if (how === 'ask' && !same(openCallsOf(session), turn.responses)) return refused(world, session, path, body, 400);
    const { kind, question, responses } = turn;
    const replaced = how === 'replace' ? session.latest : undefined;
    await ask(world, model, session, {
      ...{ path, body, kind, question, responses, isStream: streams, keep: keeps },
      ...{ isAgain: true, replaced, regenerates: replaced?.turnId ?? turn.turnId },
    });
  });
}

function chooses([where, which, index]: [number, number, number]): Command {
  return new Command(`choose ${index} of turn ${which}`, where, async (world, model, session) => {
    // Mostly the newest, of which there is something to choose.
    const turn = pick(session.turns.toReversed(), which % 3);
    if (!turn) return refused(world, session, '/turns/none/choose', { candidate: index }, 404);
    const path = `/turns/${turn.turnId}/choose`;
    if (turn !== session.latest) return refused(world, session, path, { candidate: index }, 409);
    const candidate = turn.candidates.find((one) => one.index === index);
    if (!candidate || turn.state !== 'COMMITTED') return refused(world, session, path, { candidate: index }, 400);
    const { status, json } = await replicaOf(world).post(`${session.path}${path}`, { candidate: index });
    expect({ status, chosen: json.chosenCandidate, text: json.text }).toEqual({
      status: 200,
      chosen: index,
      text: candidate.text,
    });
    if (turn.chosen === index) return;
    turn.chosen = index;
    session.version += 1;
    expect(json.sessionVersion).toBe(session.version);
    const { text: content, calls } = candidate;
    const message = {
      id: newIdOf(model, json.messages[1]),
      author: 'bot',
      content,
      calls,
      turnId: turn.turnId,
    } as const;
    session.messages = [...session.messages.slice(0, -1), message];
  });
}

function rewinds([where, to, isByLength]: [number, number, boolean]): Command {
  return new Command(
    `rewind ${to} ${isByLength ? 'by length' : 'to message'}`,
    where,
    async (world, _model, session) => {
      const { messages } = session;
      const length = isByLength ? to % (messages.length + 2) : (to % Math.max(1, messages.length)) + 1;
      const last = messages[length - 1];
      const body = isByLength ? { toLength: length } : { toMessageId: last?.id ?? 'none' };
      const isWhole = length === 0 || (last?.author === 'bot' && last.calls.length === 0);
      const isThere = length === 0 || last !== undefined;
      const isUnchanged = isThere && length === messages.length;
      if (!isThere || !(isWhole || isUnchanged)) return refused(world, session, '/rewind', body, 400);
      const { status } = await replicaOf(world).post(`${session.path}/rewind`, body);
      expect(status).toBe(200);
      if (isUnchanged) return;
      session.messages = messages.slice(0, length);
      session.version += 1;
      session.latest = ownerOfLast(session);
    },
  );
}

function forks([where, which, isWhole]: [number, number, boolean]): Command {
  return new Command(`fork ${isWhole ? 'all' : which}`, where, async (world, model, session) => {
    const index = isWhole ? session.messages.length - 1 : which % Math.max(1, session.messages.length);
    const at = session.messages[index];
    const body = isWhole || !at ? {} : { atMessageId: at.id };
    if (!isWhole && at?.author === 'user') return refused(world, session, '/fork', body, 400);
    const { status, headers, json } = await replicaOf(world).post(`${session.path}/fork`, body);
    expect(status).toBe(201);
    const messages = session.messages.slice(0, index + 1).map(({ turnId: _turnId, ...message }) => message);
    const fork = newModelSession(String(headers.location), { displayName: json.displayName, messages });
    expect(json.displayName).toBe(session.displayName);
    model.sessions.push(fork);
    await compare(world, fork);
  });
}

function imports([where, authors]: [number, readonly ('user' | 'bot')[]]): Command {
  return new Command(`import ${authors.join()}`, where, async (world, model, session) => {
    const brought = authors.map((author) => ({ author, content: questionOf(model, 'plain') }));
    const body = { messages: brought };
    const isValid = authors.at(-1) === 'bot' && openCallsOf(session).length === 0;
    if (!isValid) return refused(world, session, '/messages/import', body, 400);
    const { status } = await replicaOf(world).post(`${session.path}/messages/import`, body);
    expect(status).toBe(200);
    const { messages } = (await replicaOf(world).get(`${session.path}/messages?pageSize=200`)).json;
    const added: ModelMessage[] = brought.map((message, n) => {
      return { ...message, id: newIdOf(model, messages[session.messages.length + n]?.id), calls: [] };
    });
    session.messages = [...session.messages, ...added];
    session.version += 1;
    session.latest = undefined;
  });
}

function patches([where, displayName, isStale]: [number, string | null, boolean]): Command {
  return new Command(`patch ${displayName} ${isStale ? 'stale' : ''}`, where, async (world, _model, session) => {
    const ifMatch = `"${session.version + (isStale ? 1 : 0)}"`;
    const { status, json } = await replicaOf(world).patch(session.path, { displayName }, { 'if-match': ifMatch });
    expect(status).toBe(isStale ? 412 : 200);
    if (isStale) expect(json.currentVersion).toBe(session.version);
    if (isStale || session.displayName === (displayName ?? undefined)) return;
    session.displayName = displayName ?? undefined;
    session.version += 1;
  });
}

function deletes(where: number): Command {
  return new Command('delete', where, async (world, model, session) => {
    expect((await replicaOf(world).delete(session.path)).status).toBe(204);
    model.sessions = model.sessions.filter((one) => one !== session);
    expect((await replicaOf(world).get(session.path)).status).toBe(404);
    expect((await replicaOf(world).get(`${session.path}/messages`)).status).toBe(404);
  });
}

/** Nothing has changed: that is compared afterwards. */
async function refused(world: World, session: ModelSession, path: string, body: object, status: number): Promise<void> {
  const answer = await replicaOf(world).post(`${session.path}${path}`, body);
  expect(answer.status, answer.text).toBe(status);
}
