// A send before it is a turn: what it asks for, read of the session as it is now, and what it becomes once the session is
// claimed.

import { type ChatDependencies, IDEMPOTENCY_TTL_MS } from './chat-dependencies.ts';
import type { BeginTurn, Begun, QuestionAgain } from './claim.ts';
import { answeredCalls, type KeptMessage, type Part } from './content.ts';
import { bytesIn } from './encoded.ts';
import type { ChatError } from './errors.ts';
import { fitRequest } from './fitted-request.ts';
import type { KnownSession } from './known-sessions.ts';
import type { ModelRequest } from './language-model.ts';
import { nextRequest, type Send, type SendAgain } from './next-request.ts';
import { checkNaming, namingOf, refusedNaming } from './permissions.ts';
import { questionAgain } from './question-again.ts';
import { decodeConfig, decodeMessage, encodeConfig, encodeMessage, encodeTurn } from './records.ts';
import type { RunningTurn } from './running-turn.ts';
import type { SessionConfig, SessionKey } from './session.ts';
import { queuedTurn, startedTurn, type TurnStart } from './turn.ts';

/** A send on its way into the session. */
export interface ComingTurn {
  readonly key: SessionKey;
  readonly start: TurnStart;
  readonly send: Send | SendAgain;
  readonly asked: Asked;
  readonly isStream: boolean;
  /** The history aside. */
  readonly request: ModelRequest;
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

/** What a turn is made of: the session, as it was read or as it is known, and what is asked. */
interface Asked {
  readonly config: SessionConfig;
  /** Messages of the history, as the turn is to see it. */
  readonly messages: number;
  readonly parts: readonly Part[];
  readonly again?: QuestionAgain;
  readonly known?: KnownSession;
}

/** How it is to be answered, and by what it is the same in every attempt. */
export interface Making {
  readonly isStream: boolean;
  readonly identity: TurnIdentity;
}

/** Fails with `session_not_found`, `forbidden`, with what the model refuses, and with what `questionAgain` refuses. */
export async function prepareTurn(
  key: SessionKey,
  send: Send | SendAgain,
  making: Making,
  deps: ChatDependencies,
): Promise<ComingTurn> {
  const { store } = deps;
  const [stored, { parts, again }] =
    'again' in send
      ? await questionAgain(key, send.again, store)
      : [await store.read(key), { parts: send.parts, again: undefined }];
  const config = decodeConfig(stored.config);
  const messages = stored.messageCount - (again?.isReplaced ? 2 : 0);
  const history = config.contextWindow ? await store.readMessages(key, { start: 0, count: messages }) : [];
  const asked = { config, messages, parts, ...(again ? { again } : {}) };
  return comingTurn(key, send, { asked, history: history.map(decodeMessage), making }, deps);
}

/** The same from what is known of the session, without asking the store: it begins only if that is still so. Fails as `prepareTurn`. */
export function prepareKnownTurn(
  key: SessionKey,
  send: Send,
  known: KnownSession,
  making: Making,
  deps: ChatDependencies,
): ComingTurn {
  const { config, history } = known;
  const asked = { config, messages: history.length, parts: send.parts, known };
  return comingTurn(key, send, { asked, history, making }, deps);
}

/** `history` is looked at where there is a context window. */
function comingTurn(
  key: SessionKey,
  send: Send | SendAgain,
  { asked, history, making }: { asked: Asked; history: readonly KeptMessage[]; making: Making },
  deps: ChatDependencies,
): ComingTurn {
  const { model, chatLimits, permissions } = deps;
  const { config, again, parts, known } = asked;
  const { contextWindow: window, tokenBudget } = config;
  const { isStream, identity } = making;
  const request = nextRequest(config, send, parts);
  model.check(request);
  checkNaming(namingOf(request), key.owner, permissions);
  const fitted = window && fitRequest(window, history, request);
  const start: TurnStart = {
    sessionId: key.sessionId,
    turnId: identity.turnId,
    model: config.model,
    createTime: identity.createTime,
    sent: fitted?.sent ?? { messages: asked.messages + 1, omittedMessages: 0 },
    ...(again ? { regenerates: again.turnId } : {}),
  };
  const { ifVersion, idempotency, onBusy = 'reject' } = send;
  const turn: BeginTurn = {
    turnId: start.turnId,
    record: encodeTurn(startedTurn(start)),
    question: encodeQuestion(parts, start),
    answeredCalls: answeredCalls(parts),
    ...(again ? { again } : {}),
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(known ? { seen: { epoch: known.epoch, version: known.version } } : {}),
    leaseMs: chatLimits.leaseMs,
    historyLimit: { messages: chatLimits.historyMessagesMax, bytes: chatLimits.historyBytesMax },
    ...(tokenBudget === undefined ? {} : { tokenBudget }),
    ...(idempotency ? { idempotency: { ...idempotency, ttlMs: IDEMPOTENCY_TTL_MS } } : {}),
    onBusy,
    line: { places: chatLimits.queueTurnsMax, record: onBusy === 'reject' ? '' : encodeTurn(queuedTurn(start)) },
    attempt: identity.attempt,
  };
  return { key, start, send, asked, isStream, request, turn, refusal: fitted?.refusal };
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
  const { key, start, isStream, asked } = coming;
  const { again, config, parts } = asked;
  // Not before now it is known what the history is: it may have waited, or somebody was faster.
  const session = historyOf(begun, asked);
  const fitted = fitRequest(config.contextWindow, session.history, coming.request);
  const { request, sent } = fitted;
  const refusal = fitted.refusal ?? refusedNaming(namingOf(request), key.owner, deps.permissions);
  return deps.running.run({
    key,
    start: { ...start, sent },
    epoch: begun.epoch,
    version: begun.version,
    question: parts,
    session: { config, ...session },
    ...(again?.isReplaced ? { replacedTurnId: again.turnId } : {}),
    request,
    isStream,
    ...(refusal ? { refusal } : {}),
  });
}

function historyOf(
  { history }: Extract<Begun, { outcome: 'begun' }>,
  { config, known }: Asked,
): Pick<KnownSession, 'history' | 'bytes'> {
  if (!history) return known ?? { history: [], bytes: 0 };
  const bytes = history.reduce((sum, record) => sum + bytesIn(record), bytesIn(encodeConfig(config)));
  return { history: history.map(decodeMessage), bytes };
}

function encodeQuestion(parts: readonly Part[], { turnId, createTime }: TurnStart): string {
  return encodeMessage({ id: '', turnId, author: 'user', content: '', parts, createTime });
}
