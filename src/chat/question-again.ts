// The question of a turn that is to be answered again, and how: in the place of the answer that is in the history, or for the
// first time, since the turn did not commit.

import type { QuestionAgain } from './claim.ts';
import type { Part } from './content.ts';
import { asChatError } from './errors.ts';
import { decodeMessage, decodeTurn } from './records.ts';
import { notLatestTurn, sessionTooFast } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { StoredSession } from './stored-session.ts';
import type { Turn } from './turn.ts';

export interface AskedAgain {
  readonly parts: readonly Part[];
  readonly again: QuestionAgain;
}

/** How often a turn is looked for again in a session that changes meanwhile. */
const READS_MAX = 32;

/**
 * With the session that it is read from. As it is now; whether it still is when the turn begins is for the store to say. Fails with `turn_not_found`, and with
 * `not_latest_turn` when the turn owns other messages than the last two, or none and a newer one was begun, or it never
 * began itself; with `overloaded` when the session never stands still.
 */
export async function questionAgain(
  key: SessionKey,
  turnId: string,
  store: SessionStore,
): Promise<readonly [StoredSession, AskedAgain]> {
  let stored = await store.read(key);
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const asked = await askedAgain(key, turnId, stored, store);
    if (asked) return [stored, asked];
    // A turn that commits between two reads looks as if it had neither a question nor messages.
    const now = await store.read(key);
    if (now.version === stored.version) throw notLatestTurn();
    stored = now;
  }
  throw sessionTooFast();
}

async function askedAgain(
  key: SessionKey,
  turnId: string,
  { messageCount }: StoredSession,
  store: SessionStore,
): Promise<AskedAgain | undefined> {
  const turn = decodeTurn(await store.readTurn(key, turnId));
  if (turn.messages) return answered(key, turn, messageCount, store);
  // For good: there is no need to look again.
  if (turn.superseded) throw notLatestTurn();
  const kept = await store.readQuestion(key, turnId);
  if (!kept) return undefined;
  // It was to replace an answer that still stands: so is whatever takes its place.
  const before = turn.regenerates === undefined ? undefined : await earlier(key, turn.regenerates, store);
  if (before?.messages) return answered(key, before, messageCount, store);
  return { parts: decodeMessage(kept).parts, again: { turnId, isReplaced: false } };
}

/** The turn has to own the last two messages. */
async function answered(
  key: SessionKey,
  { turnId, messages = [] }: Turn,
  messageCount: number,
  store: SessionStore,
): Promise<AskedAgain | undefined> {
  const start = Math.max(0, messageCount - 2);
  const [question, answer] = (await store.readMessages(key, { start, count: 2 })).map(decodeMessage);
  if (!question || question.id !== messages[0] || answer?.id !== messages[1]) return undefined;
  return { parts: question.parts, again: { turnId, isReplaced: true } };
}

/** When the ledger has let it go, nobody knows whether its answer stands: asked again, its question might be there twice. */
async function earlier(key: SessionKey, turnId: string, store: SessionStore): Promise<Turn> {
  try {
    return decodeTurn(await store.readTurn(key, turnId));
  } catch (error) {
    throw asChatError(error).code === 'turn_not_found' ? notLatestTurn() : error;
  }
}
