// What the tests of the stores are made of: sessions, turns and endings with all fields filled in, and the few reads
// that every test makes.

import { randomUUID } from 'node:crypto';
import type { BeginTurn } from '../../src/chat/claim.ts';
import type { Encoded } from '../../src/chat/encoded.ts';
import { ChatError, type ProblemCode } from '../../src/chat/errors.ts';
import type { ChooseCandidate, ImportMessages, RewindSession } from '../../src/chat/history-store.ts';
import type { SessionKey } from '../../src/chat/session.ts';
import type { CreateSession, SessionStore, UpdateSession } from '../../src/chat/session-store.ts';
import type { StoredSession } from '../../src/chat/stored-session.ts';
import { REAPER_SEQ } from '../../src/chat/turn-event.ts';
import type { EventBatch, FinishTurn, ReapTurn } from '../../src/chat/turn-store.ts';
import { until } from '../support/until.ts';

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Byte for byte, whatever the bytes are, and comparable: one character each. */
export function plain(content: Encoded): string {
  return bytesOf(content).toString('latin1');
}

export function bytesOf(content: Encoded): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content);
}

export function aKey(owner = `owner-${randomUUID()}`): SessionKey {
  return { owner, sessionId: randomUUID() };
}

export function aSession(given: Partial<CreateSession> = {}): CreateSession {
  return { config: bytes('config'), ttlS: 600, messages: [], openCalls: '', attempt: randomUUID(), ...given };
}

export function aChange(ifVersion: number, given: Partial<UpdateSession> = {}): UpdateSession {
  return { config: bytes('other config'), ttlS: 600, ifVersion, attempt: randomUUID(), ...given };
}

export function aRewind(length: number, ifVersion: number, given: Partial<RewindSession> = {}): RewindSession {
  return {
    length,
    messagesRemoved: 0,
    bytesRemoved: 0,
    supersededTurnIds: [],
    ifVersion,
    attempt: randomUUID(),
    ...given,
  };
}

export function aChoice(turnId: string, ifVersion: number, given: Partial<ChooseCandidate> = {}): ChooseCandidate {
  return {
    turnId,
    message: bytes(`other answer of ${turnId}`),
    // Of one turn, in a history that began empty.
    position: 1,
    openCalls: '',
    record: bytes(`ended otherwise ${turnId}`),
    fullRecord: bytes(`all of ${turnId}, other chosen`),
    ifVersion,
    attempt: randomUUID(),
    ...given,
  };
}

export function anImport(
  messages: readonly string[],
  ifVersion: number,
  given: Partial<ImportMessages> = {},
): ImportMessages {
  return {
    messages: messages.map(bytes),
    position: 0,
    openCalls: '',
    historyLimit: { messages: 1000, bytes: 1_000_000 },
    ifVersion,
    attempt: randomUUID(),
    ...given,
  };
}

export function aTurn(given: Partial<BeginTurn> = {}): BeginTurn {
  const turnId = given.turnId ?? randomUUID();
  return {
    turnId,
    record: bytes(`running ${turnId}`),
    question: bytes('question'),
    answeredCalls: '',
    leaseMs: 30_000,
    onBusy: 'reject',
    line: { places: 3, record: bytes(`queued ${turnId}`) },
    historyLimit: { messages: 1000, bytes: 1_000_000 },
    attempt: randomUUID(),
    ...given,
  };
}

export function aBatch(afterSeq: number, lastSeq: number, frames = `<${afterSeq}..${lastSeq}>`): EventBatch {
  return { afterSeq, lastSeq, frames: bytes(frames) };
}

/** A turn that a test has begun. */
export interface BegunTurn {
  readonly turnId: string;
  readonly epoch: number;
  readonly version: number;
  readonly history: readonly string[];
}

export async function begin(store: SessionStore, key: SessionKey, given: Partial<BeginTurn> = {}): Promise<BegunTurn> {
  const turn = aTurn(given);
  const begun = await store.begin(key, turn);
  if (begun.outcome !== 'begun') throw new Error(`the turn did not begin: ${JSON.stringify(begun)}`);
  const { epoch, version, history = [] } = begun;
  return { turnId: turn.turnId, epoch, version, history: history.map(plain) };
}

/** A commit, unless told otherwise. Without messages the version stays. */
export function anEnding(turn: BegunTurn, given: Partial<FinishTurn> = {}): FinishTurn {
  const { turnId, epoch, version } = turn;
  return {
    turnId,
    epoch,
    state: 'COMMITTED',
    batch: aBatch(0, 1),
    record: bytes(`ended ${turnId}`),
    messages: [bytes(`question of ${turnId}`), bytes(`answer of ${turnId}`)],
    position: turn.history.length,
    openCalls: '',
    version: version + 1,
    ...given,
  };
}

export function aFailure(turn: BegunTurn, given: Partial<FinishTurn> = {}): FinishTurn {
  const { messages: _messages, ...ending } = anEnding(turn);
  return { ...ending, state: 'FAILED', version: turn.version, ...given };
}

/** One whole turn that enters the history. */
export async function commitTurn(
  store: SessionStore,
  key: SessionKey,
  given: Partial<FinishTurn> = {},
): Promise<BegunTurn> {
  const turn = await begin(store, key, given.turnId === undefined ? {} : { turnId: given.turnId });
  const finished = await store.finish(key, anEnding(turn, given));
  if (finished.outcome !== 'finished') throw new Error(`the turn did not finish: ${JSON.stringify(finished)}`);
  return turn;
}

export async function failTurn(
  store: SessionStore,
  key: SessionKey,
  given: Partial<FinishTurn> = {},
): Promise<BegunTurn> {
  const turn = await begin(store, key, given.turnId === undefined ? {} : { turnId: given.turnId });
  const finished = await store.finish(key, aFailure(turn, given));
  if (finished.outcome !== 'finished') throw new Error(`the turn did not finish: ${JSON.stringify(finished)}`);
  return turn;
}

export function aReap({ turnId, epoch }: BegunTurn, given: Partial<ReapTurn> = {}): ReapTurn {
  const frame = bytes('<producer lost>');
  return { turnId, epoch, record: bytes(`reaped ${turnId}`), frame, seq: REAPER_SEQ, ...given };
}

/** Begins a turn whose producer never promises anything again, and waits until it counts as dead. */
export async function beginDeadTurn(
  store: SessionStore,
  key: SessionKey,
  given: Partial<BeginTurn> = {},
): Promise<BegunTurn> {
  const turn = await begin(store, key, { leaseMs: 1, ...given });
  await until('the lease has run out', async () => {
    const begun = await store.begin(key, aTurn());
    return begun.outcome === 'busy' && !begun.hasLease;
  });
  return turn;
}

export async function historyOf(store: SessionStore, key: SessionKey): Promise<readonly string[]> {
  return (await store.readMessages(key, { start: 0, count: 1000 })).map(plain);
}

/**
 * What is said to a question of one byte when exactly the bytes that are there are allowed, and when one more is. Each message
 * costs `bytesBeside` more than it holds.
 */
export async function outcomesAtTheLimit(
  store: SessionStore,
  key: SessionKey,
  given: Partial<BeginTurn> = {},
  bytesBeside = 0,
): Promise<readonly string[]> {
  const history = await historyOf(store, key);
  const length = history?.join('').length + bytesBeside * (history.length + 1);
  const outcomes: string[] = [];
  for (const allowed of [length, length + 1]) {
    const turn = aTurn({ question: bytes('q'), historyLimit: { messages: 1000, bytes: allowed }, ...given });
    outcomes.push((await store.begin(key, turn)).outcome);
    await store.letGo(key, turn);
  }
  return outcomes;
}

/** The record of a turn in the ledger. */
export async function recordOf(store: SessionStore, key: SessionKey, turnId: string): Promise<string> {
  return plain((await store.readTurn(key, turnId)).record);
}

/** The log of a turn as somebody reads it who has seen everything up to `afterSeq`. */
export async function logOf(store: SessionStore, key: SessionKey, epoch: number, afterSeq = 0): Promise<string> {
  return (await store.readFrames(key, epoch, afterSeq)).map(({ frames }) => plain(frames)).join('');
}

/** A session to be compared, whatever its configuration came as. */
export function shown(stored: StoredSession | undefined): unknown {
  return stored && { ...stored, config: plain(stored.config) };
}

/** Everything of a session that a step may have changed, to be compared before and after; the time and its epochs go on. */
export async function stateOf(store: SessionStore, key: SessionKey): Promise<unknown> {
  const { updateTimeMs: _updateTimeMs, epoch: _epoch, ...session } = await store.read(key);
  return { ...session, config: plain(session.config), history: await historyOf(store, key) };
}

/** The code that a call is refused with. */
export async function refusalOf(call: Promise<unknown>): Promise<ProblemCode> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof ChatError) return error.code;
    throw error;
  }
  throw new Error(`was not refused: ${JSON.stringify(answer)}`);
}

export async function isGone(store: SessionStore, key: SessionKey): Promise<boolean> {
  try {
    await store.read(key);
    return false;
  } catch (error) {
    if (error instanceof ChatError && error.code === 'session_not_found') return true;
    throw error;
  }
}
