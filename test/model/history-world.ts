// The real thing beside the model: two replicas over one Redis in front of the strict emulator, asked in turn.

import { expect } from 'vitest';
import { type Client, EventStream } from '../support/client.ts';
import {
  commit,
  end,
  type Kind,
  type Model,
  type ModelMessage,
  type ModelSession,
  type ModelTurn,
} from './history-model.ts';

export interface World {
  readonly replicas: readonly [Client, Client];
  /** Counts what was asked, so that replicas take turns. */
  asked: number;
}

/** The replica that is next. */
export function replicaOf(world: World): Client {
  world.asked += 1;
  return world.replicas[world.asked % 2] ?? world.replicas[0];
}

const MARKERS: Readonly<Record<Kind, (name: string) => string>> = {
  plain: () => '',
  candidates: () => '[[candidates:3]]',
  blocked: () => '[[block-answer]]',
  refused: () => '[[status:400]]',
  refusedOnce: (name) => `[[once-status:400:${name}]]`,
  call: () => '[[call:lookUp]]',
  stalls: () => '[[stall]]',
};

/** A question that was not asked before. */
export function questionOf(model: Model, kind: Kind): string {
  model.questions += 1;
  return `question ${model.questions} ${MARKERS[kind](`${model.name}-${model.questions}`)}`.trim();
}

export interface Ask {
  /** Below the session. */
  readonly path: string;
  readonly body: object;
  readonly kind: Kind;
  readonly question: string;
  readonly responses: readonly string[];
  readonly isStream: boolean;
  readonly keep: 'none' | 'partial';
  /** Whether the question has been refused before. */
  readonly isAgain: boolean;
  /** The turn whose messages it replaces when it commits. */
  readonly replaced: ModelTurn | undefined;
  readonly regenerates?: string;
}

const EXPECTED: Readonly<Record<Kind, readonly string[]>> = {
  plain: ['COMMITTED'],
  candidates: ['COMMITTED'],
  blocked: ['BLOCKED'],
  refused: ['FAILED'],
  refusedOnce: ['FAILED', 'COMMITTED'],
  call: ['COMMITTED'],
  stalls: ['CANCELLED'],
};

/** Asks, checks how the turn ended, and takes it over into the model. */
export async function ask(world: World, model: Model, session: ModelSession, request: Ask): Promise<void> {
  const { kind, isAgain, question, responses, regenerates } = request;
  const { turn, json } = await endOf(world, session, request);
  const expected = EXPECTED[kind];
  expect(json.state, JSON.stringify(json)).toBe(expected[isAgain ? expected.length - 1 : 0]);
  expect(turn.regenerates).toBe(regenerates);
  const made: ModelTurn = {
    turnId: turn.turnId,
    kind,
    question,
    responses,
    state: turn.state,
    candidates: turn.candidates.map(({ index, text, parts }: CandidateView) => ({
      index,
      text,
      calls: callsIn(parts),
    })),
    chosen: turn.chosenCandidate,
    hasBeenKept: turn.messages !== undefined,
    ...(regenerates === undefined ? {} : { regenerates }),
  };
  session.turns.push(made);
  const keeps = turn.state === 'COMMITTED' || (kind === 'stalls' && request.keep === 'partial');
  expect(turn.messages !== undefined, `${turn.state} ${request.keep}`).toBe(keeps);
  if (!turn.messages) return end(session, made);
  const [questionId, answerId] = turn.messages as [string, string];
  const message = (id: string, author: 'user' | 'bot', content: string, calls: readonly string[]): ModelMessage => {
    return { id: newIdOf(model, id), author, content, calls, turnId: turn.turnId };
  };
  const calls = made.candidates.find(({ index }) => index === made.chosen)?.calls ?? [];
  const messages = [
    message(questionId, 'user', responses.length > 0 ? '' : question, []),
    message(answerId, 'bot', turn.text, calls),
  ] as const;
  commit(session, made, messages, request.replaced !== undefined);
  expect(turn.sessionVersion).toBe(session.version);
}

interface CandidateView {
  readonly index: number;
  readonly text: string;
  readonly parts: readonly Part[];
}

interface Part {
  readonly functionCall?: { readonly name: string };
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of every shape.
type Json = any;

async function endOf(world: World, session: ModelSession, request: Ask): Promise<{ turn: Json; json: Json }> {
  const { kind, path, body, keep } = request;
  const client = replicaOf(world);
  const isStream = request.isStream || kind === 'stalls';
  if (!isStream) {
    const answer = await client.post(`${session.path}${path}`, body);
    const turn = await readTurn(world, session, answer.headers['turn-id']);
    return { turn, json: answer.json.state === undefined ? { ...answer.json, state: 'FAILED' } : answer.json };
  }
  const stream = new EventStream(`${client.url}${session.path}${path}/stream`, { body });
  if (kind === 'stalls') {
    await stream.until('the answer has begun', ({ events, ending }) => events.length > 1 || ending !== undefined);
    const turnId = stream.response?.headers['turn-id'];
    await replicaOf(world).post(`${session.path}/turns/${turnId}/cancel`, { keep });
  }
  await stream.done();
  const turn = await readTurn(world, session, stream.response?.headers['turn-id']);
  return { turn, json: stream.terminal?.data ?? { ...stream.json, state: 'FAILED' } };
}

async function readTurn(world: World, session: ModelSession, turnId: unknown): Promise<Json> {
  const { status, json } = await replicaOf(world).get(`${session.path}/turns/${turnId}`);
  expect(status).toBe(200);
  return json;
}

function callsIn(parts: readonly Part[]): readonly string[] {
  return parts.flatMap(({ functionCall }) => (functionCall ? [functionCall.name] : []));
}

export function newIdOf(model: Model, id: string): string {
  expect(model.ids.has(id), `the id ${id} was given before`).toBe(false);
  model.ids.add(id);
  return id;
}

interface TurnView {
  readonly turnId: string;
  readonly state: string;
  readonly superseded?: boolean;
  readonly messages?: readonly string[];
}

/** Every attempt is in the ledger, the newest first, and says whether it is in the history. */
async function compareTurns(client: Client, session: ModelSession): Promise<void> {
  const { turns } = (await client.get(`${session.path}/turns?pageSize=200`)).json;
  const seen = turns.map(({ turnId, state, superseded = false, messages = [] }: TurnView) => {
    return { turnId, state, superseded, messages };
  });
  const expected = session.turns.toReversed().map(({ turnId, state, hasBeenKept }) => {
    const messages = session.messages.filter((message) => message.turnId === turnId).map(({ id }) => id);
    return { turnId, state, superseded: hasBeenKept && messages.length === 0, messages };
  });
  expect(seen).toEqual(expected);
}

/** The session is what the model says it is, on whichever replica. */
export async function compare(world: World, session: ModelSession): Promise<void> {
  const client = replicaOf(world);
  const { json, headers } = await client.get(session.path);
  const { version, displayName, messageCount } = json;
  const expected = {
    version: session.version,
    displayName: session.displayName,
    messageCount: session.messages.length,
  };
  expect({ version, displayName, messageCount }).toEqual(expected);
  expect(headers.etag).toBe(`"${session.version}"`);
  const { messages } = (await client.get(`${session.path}/messages?pageSize=200`)).json;
  expect(messages.map(({ id, author, content, turnId }: ModelMessage) => ({ id, author, content, turnId }))).toEqual(
    session.messages.map(({ id, author, content, turnId }) => ({ id, author, content, turnId })),
  );
  await compareTurns(client, session);
}
