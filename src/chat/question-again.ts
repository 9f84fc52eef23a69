// The question of a turn that is to be answered again, and how: in the place of the answer that is in the history, or for the
// first time, since the turn did not commit.

import type { QuestionAgain } from './claim.ts';
import type { Part } from './content.ts';
import { decodeMessage, decodeTurn } from './records.ts';
import { notLatestTurn } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { StoredSession } from './stored-session.ts';

export interface AskedAgain {
  readonly parts: readonly Part[];
  readonly again: QuestionAgain;
}

/**
 * As it is now; whether it still is when the turn begins is for the store to say. Fails with `turn_not_found`, and with
 * `not_latest_turn` when the turn owns other messages than the last two, or none and a newer one was begun, or it never
 * began itself.
 */
export async function questionAgain(
  key: SessionKey,
  turnId: string,
  { messageCount }: StoredSession,
  store: SessionStore,
): Promise<AskedAgain> {
  const { messages } = decodeTurn(await store.readTurn(key, turnId));
  if (messages) {
    const start = Math.max(0, messageCount - 2);
    const [question, answer] = (await store.readMessages(key, { start, count: 2 })).map(decodeMessage);
    if (question?.id !== messages[0] || answer?.id !== messages[1]) throw notLatestTurn();
    return { parts: question?.parts ?? [], again: { turnId, isReplaced: true } };
  }
  const question = await store.readQuestion(key, turnId);
  if (!question) throw notLatestTurn();
  return { parts: decodeMessage(question).parts, again: { turnId, isReplaced: false } };
}
