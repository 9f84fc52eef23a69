// How a send becomes a running turn: the session is claimed, its history comes along, and the model is asked. Or it waits
// for its time, or turns out to be a send that was made before.

import { cancelTurn } from './cancel-turn.ts';
import type { BeginTurn, Begun } from './claim.ts';
import { claimAsOfNow, claimSession, refuseClaim } from './claim-session.ts';
import { isoTime } from './clock.ts';
import { answeredCalls, checkFileUris, checkUserParts, type Part } from './content.ts';
import { ChatError } from './errors.ts';
import { fitRequest } from './fitted-request.ts';
import type { FollowedTurns } from './followed-turns.ts';
import type { ModelRequest } from './language-model.ts';
import { nextRequest, type Send, type SendAgain } from './next-request.ts';
import { questionAgain } from './question-again.ts';
import { decodeConfig, decodeMessage, decodeTurn, encodeMessage, encodeTurn } from './records.ts';
import { idempotencyMismatch } from './refusals.ts';
import type { RunningTurn } from './running-turn.ts';
import type { RunningTurns } from './running-turns.ts';
import type { ContextWindow, SessionKey } from './session.ts';
import { queuedTurn, startedTurn, type TurnStart } from './turn.ts';
import type { TurnDependencies } from './turn-plan.ts';
import { type Attempted, WaitingTurn } from './waiting-turn.ts';
import type { WaitingTurns } from './waiting-turns.ts';

/** How long a request can be sent again. */
export const IDEMPOTENCY_TTL_MS = 86_400_000;

export interface ChatLimits {
  readonly configBytesMax: number;
  readonly historyMessagesMax: number;
  readonly historyBytesMax: number;
  readonly sessionTtlS: number;
  readonly leaseMs: number;
  /** How many turns may wait for one session. */
  readonly queueTurnsMax: number;
  /** Buckets and hosts whose files may be named in messages. */
  readonly fileUris: readonly string[];
}

export interface ChatDependencies extends TurnDependencies {
  readonly running: RunningTurns;
  readonly waiting: WaitingTurns;
  readonly followed: FollowedTurns;
  readonly chatLimits: ChatLimits;
}

/** An earlier send of the same key has made this turn. */
export interface RepeatedTurn {
  readonly repeatedTurnId: string;
}

/**
 * Claim the session and start the turn, unless the same send has done so before; or wait in line, if the send wants to.
 * Fails, before anything has begun, with `draining`, `session_not_found`, `invalid_argument`, `unsupported_by_model`,
 * `turn_in_progress`, `queue_full`, `turn_exists`, `version_mismatch`, `budget_exhausted`, `history_full`,
 * `idempotency_mismatch`; when a question is asked again, also with `turn_not_found`, `not_latest_turn`, `overloaded`.
 */
export async function beginTurn(
  key: SessionKey,
  send: Send | SendAgain,
  isStream: boolean,
  deps: ChatDependencies,
): Promise<RunningTurn | WaitingTurn | RepeatedTurn> {
  const { store, running } = deps;
  // Before anything that may have changed since: what was answered then is answered now.
  const recalled = send.idempotency && (await store.recall(key, send.idempotency));
  if (recalled?.outcome === 'repeated') return { repeatedTurnId: recalled.turnId };
  if (recalled) throw idempotencyMismatch();
  if (running.isDraining) throw new ChatError('draining', 'This replica is being shut down. Send the message again.');
  if ('parts' in send) {
    checkUserParts(send.parts, '/parts');
    checkFileUris(send.parts, deps.chatLimits.fileUris, '/parts');
  }
  const identity = {
    turnId: send.turnId ?? deps.newId(),
    createTime: isoTime(deps.clock.now()),
    attempt: deps.newId(),
  };
  const prepared = await prepare(key, send, { isStream, identity }, deps);
  const { coming, claimed } = await claim(prepared, prepared.turn.onBusy, deps);
  switch (claimed.outcome) {
    case 'begun':
      return run(coming, claimed, deps);
    case 'waits':
      return wait(coming, claimed, deps);
    case 'repeated':
      // The answer to our own claim was lost, and its resend found it made.
      if (claimed.turnId !== coming.turn.turnId || send.turnId !== undefined) return { repeatedTurnId: claimed.turnId };
      return begunOrWaiting(coming, deps);
    case 'left':
      throw new ChatError('internal', 'A turn left a line that it never stood in.');
    default:
      return claimed satisfies never;
  }
}

/** A send on its way into the session. */
interface ComingTurn {
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
interface TurnIdentity {
  readonly turnId: string;
  readonly createTime: string;
  readonly attempt: string;
}

/** Who waits is refused when his turn runs: until then the history may have become shorter. */
function claim(prepared: ComingTurn, onBusy: BeginTurn['onBusy'], deps: ChatDependencies) {
  return claimAsOfNow(
    prepared,
    ({ key, turn, refusal }) => {
      if (refusal && onBusy !== 'waiting') return refuseClaim(key, turn, refusal, deps);
      return claimSession(key, { ...turn, onBusy }, deps);
    },
    (coming) => asOfNow(coming, deps),
  );
}

async function prepare(
  key: SessionKey,
  send: Send | SendAgain,
  { isStream, identity }: { readonly isStream: boolean; readonly identity: TurnIdentity },
  deps: ChatDependencies,
): Promise<ComingTurn> {
  const { store, model, chatLimits } = deps;
  const [stored, asked] =
    'again' in send
      ? await questionAgain(key, send.again, store)
      : [await store.read(key), { parts: send.parts } as const];
  const config = decodeConfig(stored.config);
  const { contextWindow: window, tokenBudget } = config;
  const again = 'again' in asked ? asked.again : undefined;
  const request = nextRequest(config, send, asked.parts);
  model.check(request);
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

function run(coming: ComingTurn, begun: Extract<Begun, { outcome: 'begun' }>, deps: ChatDependencies): RunningTurn {
  const { key, start, question, isStream, window } = coming;
  const { again } = coming.turn;
  // Not before now it is known what the history is: it may have waited, or somebody was faster.
  const { request, sent, refusal } = fitRequest(window, begun.history.map(decodeMessage), coming.request);
  return deps.running.run({
    key,
    start: { ...start, sent },
    epoch: begun.epoch,
    version: begun.version,
    question,
    ...(again?.isReplaced ? { replacedTurnId: again.turnId } : {}),
    request,
    isStream,
    ...(refusal ? { refusal } : {}),
  });
}

function wait(
  coming: ComingTurn,
  { place, holder }: Extract<Begun, { outcome: 'waits' }>,
  deps: ChatDependencies,
): WaitingTurn {
  const { key, start, turn } = coming;
  const readTurn = async (turnId: string) => decodeTurn(await deps.store.readTurn(key, turnId));
  const waiting = new WaitingTurn(
    {
      key,
      turn: queuedTurn(start),
      place,
      holder,
      isInterrupting: turn.onBusy === 'interrupt',
      attempt: () => attempt(coming, deps),
      readTurn: () => readTurn(start.turnId),
      interrupt: async (turnId) => {
        await cancelTurn(key, turnId, 'none', () => readTurn(turnId), deps);
      },
    },
    { ...deps, leaseMs: deps.chatLimits.leaseMs },
  );
  deps.waiting.add(waiting);
  return waiting;
}

async function attempt(waiting: ComingTurn, deps: ChatDependencies): Promise<Attempted> {
  const { coming, claimed } = await claim(await asOfNow(waiting, deps), 'waiting', deps);
  if (claimed.outcome === 'begun') return { outcome: 'begun', running: run(coming, claimed, deps) };
  return claimed.outcome === 'waits' ? claimed : { outcome: 'left' };
}

/** What is asked again depends on how the turn before has ended. */
async function asOfNow(coming: ComingTurn, deps: ChatDependencies): Promise<ComingTurn> {
  const { key, send, isStream, start, turn } = coming;
  if (!('again' in send)) return coming;
  const identity = { turnId: start.turnId, createTime: start.createTime, attempt: turn.attempt };
  return prepare(key, send, { isStream, identity }, deps);
}

async function begunOrWaiting(
  prepared: ComingTurn,
  deps: ChatDependencies,
): Promise<RunningTurn | WaitingTurn | RepeatedTurn> {
  const { coming, claimed } = await claim(prepared, 'waiting', deps);
  if (claimed.outcome === 'begun') return run(coming, claimed, deps);
  return claimed.outcome === 'waits' ? wait(coming, claimed, deps) : { repeatedTurnId: coming.turn.turnId };
}

function encodeQuestion(parts: readonly Part[], { turnId, createTime }: TurnStart): Uint8Array {
  return encodeMessage({ id: '', turnId, author: 'user', content: '', parts, createTime });
}
