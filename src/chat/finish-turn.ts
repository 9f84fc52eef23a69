// Bringing the ending of a turn into the store: tried for as long as the budget lasts, safe to try because `finish` is
// idempotent there, and rebuilt when the session has moved on meanwhile.

import { type Answer, reportedUsage } from './answer.ts';
import { isoTime } from './clock.ts';
import { type Content, type KeptMessage, openCalls, type Part, textPart, visibleText } from './content.ts';
import { bytesIn } from './encoded.ts';
import { asChatError } from './errors.ts';
import type { TurnFlusher } from './flusher.ts';
import { type EndedTurn, presentTurn } from './present-turn.ts';
import { encodeMessage, encodeTurn } from './records.ts';
import { measureOf } from './token-estimate.ts';
import { withChosenOnly } from './turn.ts';
import { encodeFrame, type Frame, terminalEvent } from './turn-event.ts';
import type { TurnLog } from './turn-log.ts';
import type { Ending } from './turn-machine.ts';
import type { TurnDependencies, TurnPlan } from './turn-plan.ts';
import type { Finished, FinishTurn } from './turn-store.ts';

export interface TurnToFinish {
  readonly plan: TurnPlan;
  readonly log: TurnLog;
  readonly flusher: TurnFlusher;
  readonly answer: Answer;
  readonly ending: Ending;
  /** Ids of question and answer, the same in every attempt. */
  readonly messageIds: readonly [string, string];
}

export type FinishOutcome =
  /** `turn` and `frame` are what the store took; viewers get the same bytes. */
  | {
      readonly outcome: 'stored';
      readonly turn: EndedTurn;
      readonly frame: Frame;
      readonly version: number;
    }
  | { readonly outcome: 'lost'; readonly reason: 'fenced' | 'gone' }
  | { readonly outcome: 'unknown' };

export async function finishTurn(finishing: TurnToFinish, deps: TurnDependencies): Promise<FinishOutcome> {
  const { plan, flusher } = finishing;
  const endMs = deps.clock.now();
  const deadline = endMs + deps.limits.finishBudgetMs;
  await flusher.stop();
  let version = plan.version + (answerParts(finishing) ? 1 : 0);
  for (let attempt = 0; ; attempt += 1) {
    const { turn, frame, finish, messages } = prepare(finishing, version, endMs, deps);
    const finished = await attemptFinish(plan, finish, deadline, deps);
    switch (finished?.outcome) {
      case 'finished':
        keepKnown(plan, { version: finished.version, finish, messages }, deps);
        return { outcome: 'stored', turn, frame, version: finished.version };
      case 'fenced':
      case 'gone':
        return { outcome: 'lost', reason: finished.outcome };
      case 'version_moved':
        version = finished.version;
        break;
      case 'gap':
        flusher.resumeFrom(finished.lastSeq);
        break;
      case undefined:
        await pause(attempt, deps);
        break;
      default:
        finished satisfies never;
    }
    // Given up meanwhile: its viewers have been told so, and that must not get into the store's log with another end.
    if (finishing.log.hasEnded || deps.clock.now() >= deadline) return { outcome: 'unknown' };
  }
}

/** `undefined` when the store did not say, or not before the deadline: nothing is known then. */
async function attemptFinish(
  plan: TurnPlan,
  finish: FinishTurn,
  deadline: number,
  deps: TurnDependencies,
): Promise<Finished | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stopTimer = deps.clock.after(Math.max(0, deadline - deps.clock.now()), () => resolve(undefined));
  try {
    return await Promise.race([deps.store.finish(plan.key, finish), promise]);
  } catch (error) {
    return asChatError(error).code === 'session_not_found' ? { outcome: 'gone' } : undefined;
  } finally {
    stopTimer();
  }
}

/** The same bytes in every attempt for one version: it may be an earlier one that the store took. */
function prepare(finishing: TurnToFinish, version: number, endMs: number, deps: TurnDependencies) {
  const { plan, log, flusher, answer, ending, messageIds } = finishing;
  const endTime = isoTime(endMs);
  const { start, isStream } = plan;
  const turn = presentTurn({ start, answer, ending, isStream, endTime, messageIds, version }, deps.describe);
  const frame = encodeFrame(plan.epoch, log.lastSeq + 1, terminalEvent(turn));
  const messages = newMessages(finishing, turn);
  const usage = reportedUsage(answer);
  const finish: FinishTurn = {
    turnId: start.turnId,
    epoch: plan.epoch,
    state: turn.state,
    batch: flusher.rest([frame]),
    record: encodeTurn(withChosenOnly(turn)),
    ...(turn.candidates.length > 1 ? { fullRecord: encodeTurn(turn) } : {}),
    ...(messages ? { messages: [encodeMessage(messages[0]), encodeMessage(messages[1])] } : {}),
    position: plan.session.history.length,
    openCalls: openCalls(messages?.[1]),
    ...(messages && plan.replacedTurnId !== undefined ? { replacedTurnId: plan.replacedTurnId } : {}),
    ...(usage ? { usage } : {}),
    version,
  };
  return { turn, frame, finish, messages };
}

interface Stored {
  readonly version: number;
  readonly finish: FinishTurn;
  readonly messages: readonly KeptMessage[] | undefined;
}

/** What the session is now, for its next turn: unless something else has happened to it meanwhile. */
function keepKnown(plan: TurnPlan, { version, finish, messages = [] }: Stored, { known }: TurnDependencies): void {
  const { key, epoch, session, replacedTurnId } = plan;
  const isUntouched = version === plan.version + (finish.messages ? 1 : 0);
  // What was to be replaced still stands, and this turn has not seen it.
  const isAsSeen = finish.messages !== undefined || replacedTurnId === undefined;
  if (!isUntouched || !isAsSeen) {
    known.forget(key);
    return;
  }
  const bytes = (finish.messages ?? []).reduce((sum, record) => sum + bytesIn(record), session.bytes);
  known.keep(key, { ...session, epoch, version, history: [...session.history, ...messages], bytes });
}

/** The parts of the answer that enter the history, if it does. */
function answerParts({ answer, ending }: TurnToFinish): readonly Part[] | undefined {
  switch (ending.state) {
    case 'COMMITTED':
      return answer.candidates.find(({ index }) => index === ending.chosenCandidate)?.parts ?? [];
    case 'CANCELLED':
      return ending.keptText === undefined ? undefined : [textPart(ending.keptText)];
    case 'BLOCKED':
    case 'FAILED':
      return undefined;
    default:
      return ending satisfies never;
  }
}

function newMessages(finishing: TurnToFinish, turn: EndedTurn): [KeptMessage, KeptMessage] | undefined {
  const { plan, messageIds, answer } = finishing;
  const parts = answerParts(finishing);
  if (!parts) return undefined;
  // Half an answer has not been counted to its end.
  const measured = turn.state === 'COMMITTED' ? measureOf(plan.request, turn.sent.omittedMessages, answer) : undefined;
  const { turnId, model, createTime, endTime = createTime } = turn;
  const message = (id: string, content: Content, time: string): KeptMessage => {
    return { id, turnId, ...content, content: visibleText(content.parts), createTime: time };
  };
  return [
    message(messageIds[0], { author: 'user', parts: plan.question }, createTime),
    { ...message(messageIds[1], { author: 'bot', parts }, endTime), model, ...(measured ? { measured } : {}) },
  ];
}

/** Between two attempts: 100 ms, doubled each time, at most 2 s. */
function pause(attempt: number, deps: TurnDependencies): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  deps.clock.after(Math.min(2000, 100 * 2 ** Math.min(attempt, 5)), resolve);
  return promise;
}
