// A send before it is a turn: what it asks for, read of the session as it is now, and what it becomes once the session is
// claimed.

import { type ChatDependencies, IDEMPOTENCY_TTL_MS } from './chat-dependencies.ts';
import type { BeginTurn, Begun } from './claim.ts';
import { answeredCalls, type Part } from './content.ts';
import type { ChatError } from './errors.ts';
import { fitRequest } from './fitted-request.ts';
import type { ModelRequest } from './language-model.ts';
import { nextRequest, type Send, type SendAgain } from './next-request.ts';
import { checkNaming, namingOf, refusedNaming } from './permissions.ts';
import { questionAgain } from './question-again.ts';
import { decodeConfig, decodeMessage, encodeMessage, encodeTurn } from './records.ts';
import type { RunningTurn } from './running-turn.ts';
import type { ContextWindow, SessionKey } from './session.ts';
import { queuedTurn, startedTurn, type TurnStart } from './turn.ts';

/** A send on its way into the session. */
export interface ComingTurn {
  readonly key: SessionKey;
  readonly start: TurnStart;
  readonly send: Send | SendAgain;
  readonly question: readonly Part[];
  readonly isStream: boolean;
  /** The history aside. */
  readonly request: ModelRequest;
  readonly window: ContextWindow | undefined;
  readonly turn: BeginTurn;
  /** Why it cannot be sent, as the session is now. */
  readonly refusal: ChatError | undefined;
}

/** By what a turn is the same in every attempt to begin it. */
export interface TurnIdentity {
  readonly turnId: string;
  readonly createTime: string;
  readonly attempt: string;
}

/** Fails with `session_not_found`, `forbidden`, with what the model refuses, and with what `questionAgain` refuses. */
export async function prepareTurn(
  key: SessionKey,
  send: Send | SendAgain,
  { isStream, identity }: { readonly isStream: boolean; readonly identity: TurnIdentity },
  deps: ChatDependencies,
): Promise<ComingTurn> {
  const { store, model, chatLimits, permissions } = deps;
  const [stored, asked] =
    'again' in send
      ? await questionAgain(key, send.again, store)
      : [await store.read(key), { parts: send.parts } as const];
  const config = decodeConfig(stored.config);
  const { contextWindow: window, tokenBudget } = config;
  const again = 'again' in asked ? asked.again : undefined;
  const request = nextRequest(config, send, asked.parts);
  model.check(request);
  checkNaming(namingOf(request), key.owner, permissions);
  // Of the history, as the turn is to see it.
  const count = stored.messageCount - (again?.isReplaced ? 2 : 0);
  const range = { start: 0, count };
  const fitted = window && fitRequest(window, (await store.readMessages(key, range)).map(decodeMessage), request);
  const start: TurnStart = {
    sessionId: key.sessionId,
    turnId: identity.turnId,
    model: config.model,
    createTime: identity.createTime,
    sent: fitted?.sent ?? { messages: count + 1, omittedMessages: 0 },
    ...(again ? { regenerates: again.turnId } : {}),
  };
  const { ifVersion, idempotency, onBusy = 'reject' } = send;
  const turn: BeginTurn = {
    turnId: start.turnId,
    record: encodeTurn(startedTurn(start)),
    question: encodeQuestion(asked.parts, start),
    answeredCalls: answeredCalls(asked.parts),
    ...(again ? { again } : {}),
    ...(ifVersion === undefined ? {} : { ifVersion }),
    leaseMs: chatLimits.leaseMs,
    historyLimit: { messages: chatLimits.historyMessagesMax, bytes: chatLimits.historyBytesMax },
    ...(tokenBudget === undefined ? {} : { tokenBudget }),
    ...(idempotency ? { idempotency: { ...idempotency, ttlMs: IDEMPOTENCY_TTL_MS } } : {}),
    onBusy,
    line: { places: chatLimits.queueTurnsMax, record: encodeTurn(queuedTurn(start)) },
    attempt: identity.attempt,
  };
  return { key, start, send, question: asked.parts, isStream, request, window, turn, refusal: fitted?.refusal };
}

/** What is asked again depends on how the turn before has ended. */
export async function asOfNow(coming: ComingTurn, deps: ChatDependencies): Promise<ComingTurn> {
  const { key, send, isStream, start, turn } = coming;
  if (!('again' in send)) return coming;
  const identity = { turnId: start.turnId, createTime: start.createTime, attempt: turn.attempt };
  return prepareTurn(key, send, { isStream, identity }, deps);
}

/** The session has been claimed: the model is asked. */
export function runTurn(
  coming: ComingTurn,
  begun: Extract<Begun, { outcome: 'begun' }>,
  deps: ChatDependencies,
): RunningTurn {
  const { key, start, question, isStream, window } = coming;
  const { again } = coming.turn;
  // Not before now it is known what the history is: it may have waited, or somebody was faster.
  const fitted = fitRequest(window, begun.history.map(decodeMessage), coming.request);
  const { request, sent } = fitted;
  const refusal = fitted.refusal ?? refusedNaming(namingOf(request), key.owner, deps.permissions);
  return deps.running.run({
    key,
    start: { ...start, sent },
    epoch: begun.epoch,
    version: begun.version,
    question,
    historyLength: begun.history.length,
    ...(again?.isReplaced ? { replacedTurnId: again.turnId } : {}),
    request,
    isStream,
    ...(refusal ? { refusal } : {}),
  });
}

function encodeQuestion(parts: readonly Part[], { turnId, createTime }: TurnStart): Uint8Array {
  return encodeMessage({ id: '', turnId, author: 'user', content: '', parts, createTime });
}
