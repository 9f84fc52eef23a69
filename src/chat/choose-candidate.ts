// Another answer of the newest committed turn, put into the history in the place of the one that is there.

import { changeSession, whenIdle } from './change-session.ts';
import type { ChatDependencies } from './chat-dependencies.ts';
import { isoTime } from './clock.ts';
import { type KeptMessage, openCalls } from './content.ts';
import { invalidField } from './errors.ts';
import { decodeMessage, decodeTurn, encodeMessage, encodeTurn } from './records.ts';
import { notLatestTurn, versionMismatch } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';
import { type Candidate, type Turn, withChosenOnly } from './turn.ts';

export interface Choice {
  readonly turnId: string;
  /** The model's number of the candidate. */
  readonly candidate: number;
  readonly ifVersion: number | undefined;
}

/**
 * One atomic change; nothing when that candidate is chosen already. `read` ends a dead turn first. The turn as it is then.
 * Fails with `turn_not_found`, `not_latest_turn`, `turn_in_progress`, `version_mismatch`, `invalid_argument`,
 * `session_not_found`, `overloaded`.
 */
export async function chooseCandidate(
  key: SessionKey,
  choice: Choice,
  read: () => Promise<StoredSession>,
  deps: ChatDependencies,
): Promise<Turn> {
  const { store, clock, newId } = deps;
  const { turnId, ifVersion } = choice;
  // The same in every attempt.
  const id = newId();
  const write = async (stored: StoredSession, attempt: string) => {
    const turn = decodeTurn(await store.readTurn(key, turnId));
    const [last] = (await store.readMessages(key, { start: Math.max(0, stored.messageCount - 1), count: 1 })).map(
      decodeMessage,
    );
    // Another choice has been made since the session was read.
    if (turn.sessionVersion !== undefined && turn.sessionVersion > stored.version) {
      throw versionMismatch(turn.sessionVersion);
    }
    if (!last || last.id !== turn.messages?.[1]) throw notLatestTurn();
    const candidate = candidateOf(turn, choice.candidate);
    if (candidate.index === turn.chosenCandidate) return stored;
    const { parts, text: content } = candidate;
    const message: KeptMessage = { ...last, id, content, parts, createTime: isoTime(clock.now()) };
    const chosen = { ...withChoice(turn, candidate, id), sessionVersion: stored.version + 1 };
    return store.choose(key, {
      turnId,
      message: encodeMessage(message),
      position: stored.messageCount - 1,
      openCalls: openCalls(message),
      record: encodeTurn(withChosenOnly(chosen)),
      fullRecord: encodeTurn(chosen),
      ifVersion: stored.version,
      attempt,
    });
  };
  await changeSession({ read: () => whenIdle(read), ifVersion, write }, deps);
  return decodeTurn(await store.readTurn(key, turnId));
}

/** One that the history can go on from. */
function candidateOf({ candidates, state }: Turn, index: number): Candidate {
  const candidate = candidates.find((one) => one.index === index);
  if (!candidate) throw invalidField('/candidate', 'names no candidate that is kept of the turn');
  if (state !== 'COMMITTED' || candidate.isBlocked)
    throw invalidField('/candidate', 'names an answer that is no whole one');
  return candidate;
}

/** The top-level response fields are those of the chosen candidate. */
function withChoice(turn: Turn, candidate: Candidate, messageId: string): Turn {
  const { index, text, errors, safetyAttributes, groundingMetadata } = candidate;
  const messages = [turn.messages?.[0] ?? '', messageId];
  return { ...turn, chosenCandidate: index, text, errors, safetyAttributes, groundingMetadata, messages };
}
