// The history taken back to an answer, or to nothing: what comes after is removed. What stays is a history that the next
// question can follow: it ends with a bot message, and no function call is parted from its responses.

import { changeSession, whenIdle } from './change-session.ts';
import type { ChatDependencies } from './chat-dependencies.ts';
import { type KeptMessage, openCalls } from './content.ts';
import { bytesIn } from './encoded.ts';
import { invalidField } from './errors.ts';
import { decodeMessage } from './records.ts';
import type { RewindTarget, SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';

export interface Rewind {
  readonly target: RewindTarget;
  readonly ifVersion: number | undefined;
}

/** A history is searched from its end, so many messages at a time. */
const MESSAGES_READ = 200;

/**
 * One atomic change; nothing when the history ends there already. `read` ends a dead turn first. Fails with
 * `turn_in_progress`, `version_mismatch`, `invalid_argument`, `session_not_found`, `overloaded`.
 */
export function rewindSession(
  key: SessionKey,
  { target, ifVersion }: Rewind,
  read: () => Promise<StoredSession>,
  deps: ChatDependencies,
): Promise<StoredSession> {
  const { store } = deps;
  const write = async (stored: StoredSession, attempt: string) => {
    const tail = await readTail(key, target, stored.messageCount, deps);
    if (tail.removed.length === 0) return stored;
    return store.rewind(key, { ...stepOf(tail, target), ifVersion: stored.version, attempt });
  };
  return changeSession({ read: () => whenIdle(read), ifVersion, write }, deps);
}

/** A message of the history, and what it weighs in the store. */
interface Weighed {
  readonly message: KeptMessage;
  readonly bytes: number;
}

/** The end of a history: what is to be the last two messages, and those that go. */
interface Tail {
  /** How many stay. */
  readonly length: number;
  readonly last?: KeptMessage | undefined;
  readonly beforeLast?: KeptMessage | undefined;
  readonly removed: readonly Weighed[];
}

/** Reads from the end, and no more than it takes. */
async function readTail(key: SessionKey, target: RewindTarget, count: number, deps: ChatDependencies): Promise<Tail> {
  if ('toLength' in target && target.toLength > count) throw invalidField('/toLength', `must be <= ${count}`);
  let read: readonly Weighed[] = [];
  let start = count;
  do {
    const end = start;
    start = Math.max(0, end - MESSAGES_READ);
    const page = await deps.store.readMessages(key, { start, count: end - start });
    read = [...page.map((record) => ({ message: decodeMessage(record), bytes: bytesIn(record) })), ...read];
    const last = positionOf(target, read, start);
    if (last > 0 || (last === 0 && start === 0)) return tailOf(read, last, start);
  } while (start > 0);
  if ('toLength' in target) return tailOf(read, -1, 0);
  throw invalidField('/toMessageId', 'names no message of the history');
}

/** Of the message that is to be the last, among those that begin at `start`; negative when it is not there. */
function positionOf(target: RewindTarget, read: readonly Weighed[], start: number): number {
  if ('toLength' in target) return target.toLength - 1 - start;
  return read.findIndex(({ message }) => message.id === target.toMessageId);
}

function tailOf(read: readonly Weighed[], last: number, start: number): Tail {
  const removed = read.slice(last + 1);
  return { length: start + last + 1, last: read[last]?.message, beforeLast: read[last - 1]?.message, removed };
}

function stepOf({ length, last, beforeLast, removed }: Tail, target: RewindTarget) {
  const path = 'toLength' in target ? '/toLength' : '/toMessageId';
  if (last && last.author !== 'bot') throw invalidField(path, 'must leave a bot message as the last one');
  if (openCalls(last) !== '') throw invalidField(path, 'must not part function calls from their responses');
  const isTurn = last?.turnId !== undefined && last.turnId === beforeLast?.turnId;
  const superseded = new Set(removed.flatMap(({ message }) => message.turnId ?? []));
  return {
    length,
    messagesRemoved: removed.length,
    bytesRemoved: removed.reduce((sum, { bytes }) => sum + bytes, 0),
    supersededTurnIds: [...superseded],
    ...(isTurn ? { latestTurnId: last.turnId } : {}),
  };
}
