// I1, I2, I3 and I4: what is in a history, exactly once, whole, in order, and as the model had seen it.

import type { MessageView, SendOperation, Violation } from './evidence.ts';
import { expectedAnswer, tokenOf, type WireContent } from './expected-answer.ts';
import { isAbsent, isAcknowledged, isToldOfDeletion, type SessionFacts } from './session-facts.ts';

export function checkHistory(facts: SessionFacts): readonly Violation[] {
  const { longest } = facts;
  if (!longest) return [];
  const pairs = pairsOf(longest.messages);
  return [
    ...shape(facts, longest.messages),
    ...wholeAnswers(facts, longest.messages),
    ...origins(facts, pairs),
    ...(facts.final ? acknowledged(facts, pairs) : []),
    ...acknowledgedOrder(facts, pairs),
  ];
}

interface Pair {
  readonly token: string | undefined;
  readonly question: MessageView;
  readonly answer: MessageView | undefined;
}

function pairsOf(messages: readonly MessageView[]): readonly Pair[] {
  return messages.flatMap((question, index) =>
    question.author === 'user' ? [{ token: tokenOf(question.content), question, answer: messages[index + 1] }] : [],
  );
}

function shape({ sessionId, longest }: SessionFacts, messages: readonly MessageView[]): Violation[] {
  const found: Violation[] = [];
  const operations = longest ? [longest.number] : [];
  const add = (invariant: string, message: string) => found.push({ invariant, message, sessionId, operations });
  const ids = new Set<string>();
  for (const [index, { id, author, turnId, parts }] of messages.entries()) {
    if (author !== (index % 2 === 0 ? 'user' : 'bot')) add('I4', `message ${index} is of ${author}: not alternating`);
    if (ids.has(id)) add('I1', `two messages have the id ${id}`);
    ids.add(id);
    if (parts.length === 0) add('I4', `message ${index} has no parts`);
    if (index % 2 === 1 && turnId !== messages[index - 1]?.turnId) {
      add('I3', `messages ${index - 1} and ${index} are of two turns: interleaved`);
    }
  }
  if (messages.length % 2 === 1) add('I2', 'the history ends with a question: half a turn');
  return found;
}

/** Each answer names the contents it was given for: they have to be what stands before it. */
function wholeAnswers(facts: SessionFacts, messages: readonly MessageView[]): Violation[] {
  const found: Violation[] = [];
  for (let index = 1; index < messages.length; index += 2) {
    const answer = messages[index];
    if (!answer) continue;
    const expected = expectedAnswer(messages.slice(0, index).map(wireContent));
    if (answer.content === expected) continue;
    if (isPartial(facts, answer) && expected.startsWith(answer.content)) continue;
    found.push({
      invariant: expected.startsWith(answer.content) ? 'I2' : 'I4',
      message: `answer ${index} (turn ${answer.turnId}) is not what the model says to the history before it: “${answer.content}” instead of “${expected}”`,
      sessionId: facts.sessionId,
      operations: sendsOf(facts, answer.turnId).map(({ number }) => number),
    });
  }
  return found;
}

function wireContent({ author, parts }: MessageView): WireContent {
  return { role: author === 'user' ? 'user' : 'model', parts };
}

/** Somebody wanted the rest of this answer cut off. */
function isPartial({ operations }: SessionFacts, { turnId }: MessageView): boolean {
  return operations.some(
    (operation) => operation.kind === 'cancel' && operation.keep === 'partial' && operation.turnId === turnId,
  );
}

function sendsOf({ sends }: SessionFacts, turnId: string | undefined): readonly SendOperation[] {
  return sends.filter((send) => send.turnId !== undefined && send.turnId === turnId);
}

/** Whatever is in the history was sent by somebody, was not refused, and is there once. */
function origins(facts: SessionFacts, pairs: readonly Pair[]): Violation[] {
  const found: Violation[] = [];
  const { sessionId } = facts;
  const byToken = Map.groupBy(facts.sends, ({ token }) => token);
  const met = new Set<string>();
  for (const { token = '', question } of pairs) {
    const sends = byToken.get(token) ?? [];
    const operations = sends.map(({ number }) => number);
    if (sends.length === 0) {
      found.push({ invariant: 'I1', message: `nobody has sent “${question.content}”`, sessionId, operations });
    }
    if (met.has(token)) found.push({ invariant: 'I1', message: `${token} is there twice`, sessionId, operations });
    met.add(token);
    const told = sends.filter((send) => !isToldOfDeletion(facts, send));
    const isRefused = told.length > 0 && told.every(isAbsent);
    const toldAbsent = told.find((send) => send.turn !== undefined && isAbsent(send));
    if (isRefused || toldAbsent) {
      const { status, code, turn } = toldAbsent ?? told[0] ?? { status: 0 };
      const words = `${turn?.state ?? 'refused'} ${status} ${turn?.code ?? code ?? ''}`;
      found.push({ invariant: 'I2', message: `${token} is there, but was told ${words}`, sessionId, operations });
    }
  }
  return found;
}

function acknowledged(facts: SessionFacts, pairs: readonly Pair[]): Violation[] {
  const byToken = new Map(pairs.map((pair) => [pair.token, pair]));
  return facts.sends.filter(isAcknowledged).flatMap(({ token, turn, number }) => {
    const of = (message: string) => [{ invariant: 'I1', message, sessionId: facts.sessionId, operations: [number] }];
    const pair = byToken.get(token);
    if (!pair) return of(`${token} (turn ${turn?.turnId}) was acknowledged and is not in the history`);
    const ids = [pair.question.id, pair.answer?.id];
    if (ids.join() !== turn?.messages?.join()) {
      return of(`${token}: the history has the messages ${ids.join()}, acknowledged were ${turn?.messages?.join()}`);
    }
    if (turn.text !== '' && turn.text !== pair.answer?.content) {
      return of(`${token}: the history has another answer than was acknowledged`);
    }
    return [];
  });
}

interface Placed {
  readonly token: string;
  /** The first time it was sent, and the first time it was acknowledged: later sends of a key change nothing. */
  readonly began: SendOperation;
  readonly acked: SendOperation;
}

/** A turn that began after another was acknowledged stands after it. */
function acknowledgedOrder({ sends, sessionId }: SessionFacts, pairs: readonly Pair[]): Violation[] {
  const byToken = Map.groupBy(sends, ({ token }) => token);
  const found: Violation[] = [];
  let latest: Placed | undefined;
  for (const { token = '' } of pairs) {
    const placed = placedOf(token, byToken.get(token) ?? []);
    if (!placed) continue;
    if (latest && placed.acked.endedMs < latest.began.beganMs) {
      const message = `${token} was acknowledged before ${latest.token} was sent, and stands after it`;
      found.push({ invariant: 'I1', message, sessionId, operations: [placed.acked.number, latest.began.number] });
    }
    if (!latest || placed.began.beganMs > latest.began.beganMs) latest = placed;
  }
  return found;
}

function placedOf(token: string, sends: readonly SendOperation[]): Placed | undefined {
  const [began] = sends.toSorted((a, b) => a.beganMs - b.beganMs);
  const [acked] = sends.filter(isAcknowledged).toSorted((a, b) => a.endedMs - b.endedMs);
  return began && acked ? { token, began, acked } : undefined;
}
