// How a send becomes a running turn: the session is claimed, its history comes along, and the model is asked.

import { isoTime } from './clock.ts';
import { answeredCalls, checkFileUris, checkUserParts, type Part } from './content.ts';
import { ChatError, invalidField } from './errors.ts';
import type { FollowedTurns } from './followed-turns.ts';
import { nextRequest, type Send } from './next-request.ts';
import { reapTurn } from './reap-turn.ts';
import { decodeConfig, decodeMessage, encodeMessage, encodeTurn } from './records.ts';
import { versionMismatch } from './refusals.ts';
import type { RunningTurn } from './running-turn.ts';
import type { RunningTurns } from './running-turns.ts';
import type { SessionKey } from './session.ts';
import type { BeginTurn, Begun, Recalled } from './session-store.ts';
import { startedTurn, type TurnStart } from './turn.ts';
import type { TurnDependencies } from './turn-plan.ts';

/** How often a dead turn is reaped before giving up: others may begin and die in between. */
const REAPS_MAX = 8;

/** How long a send can be sent again. */
const IDEMPOTENCY_TTL_MS = 86_400_000;

export interface ChatLimits {
  readonly configBytesMax: number;
  readonly historyMessagesMax: number;
  readonly historyBytesMax: number;
  readonly sessionTtlS: number;
  readonly leaseMs: number;
  /** Buckets and hosts whose files may be named in messages. */
  readonly fileUris: readonly string[];
}

export interface ChatDependencies extends TurnDependencies {
  readonly running: RunningTurns;
  readonly followed: FollowedTurns;
  readonly chatLimits: ChatLimits;
}

/** An earlier send of the same key has made this turn. */
export interface RepeatedTurn {
  readonly repeatedTurnId: string;
}

/**
 * Claim the session and start the turn, unless the same send has done so before. Fails, before anything has begun, with `draining`, `session_not_found`,
 * `invalid_argument`, `unsupported_by_model`, `turn_in_progress`, `turn_exists`, `version_mismatch`, `history_full`,
 * `idempotency_mismatch`.
 */
export async function beginTurn(
  key: SessionKey,
  send: Send,
  isStream: boolean,
  deps: ChatDependencies,
): Promise<RunningTurn | RepeatedTurn> {
  const { store, running, clock, newId, model } = deps;
  // Before anything that may have changed since: what was answered then is answered now.
  const recalled = send.idempotency && (await store.recall(key, send.idempotency));
  if (recalled) return repeatedTurn(recalled);
  if (running.isDraining) throw new ChatError('draining', 'This replica is being shut down. Send the message again.');
  checkUserParts(send.parts, '/parts');
  checkFileUris(send.parts, deps.chatLimits.fileUris, '/parts');
  const stored = await store.read(key);
  const config = decodeConfig(stored.config);
  const request = nextRequest(config, send);
  model.check(request);
  const start: TurnStart = {
    sessionId: key.sessionId,
    turnId: send.turnId ?? newId(),
    model: config.model,
    createTime: isoTime(clock.now()),
    sent: { messages: stored.messageCount + 1, omittedMessages: 0 },
  };
  const begun = await claim(key, start, send, deps);
  if (begun.outcome !== 'begun') return repeatedTurn(begun);
  const history = begun.history.map(decodeMessage);
  return running.run({
    key,
    start: {
      ...start,
      sent: { messages: history.length + 1, omittedMessages: 0 },
    },
    epoch: begun.epoch,
    version: begun.version,
    question: send.parts,
    request: { ...request, contents: [...history, ...request.contents] },
    isStream,
  });
}

async function claim(
  key: SessionKey,
  start: TurnStart,
  send: Send,
  deps: ChatDependencies,
): Promise<Extract<Begun, { outcome: 'begun' }> | Recalled> {
  const { store, newId, chatLimits } = deps;
  const turn: BeginTurn = {
    turnId: start.turnId,
    record: encodeTurn(startedTurn(start)),
    question: encodeQuestion(send.parts, start),
    answeredCalls: answeredCalls(send.parts),
    ...(send.ifVersion === undefined ? {} : { ifVersion: send.ifVersion }),
    leaseMs: chatLimits.leaseMs,
    historyLimit: {
      messages: chatLimits.historyMessagesMax,
      bytes: chatLimits.historyBytesMax,
    },
    ...(send.idempotency ? { idempotency: { ...send.idempotency, ttlMs: IDEMPOTENCY_TTL_MS } } : {}),
    attempt: newId(),
  };
  for (let reaps = 0; ; reaps += 1) {
    const begun = await store.begin(key, turn);
    if (begun.outcome === 'begun' || begun.outcome === 'repeated') return begun;
    if (begun.outcome !== 'busy' || begun.hasLease || reaps >= REAPS_MAX) throw refusal(begun);
    await reapTurn(key, begun, deps);
  }
}

function repeatedTurn(recalled: Recalled): RepeatedTurn {
  if (recalled.outcome === 'repeated') return { repeatedTurnId: recalled.turnId };
  throw idempotencyMismatch();
}

function idempotencyMismatch(): ChatError {
  return new ChatError('idempotency_mismatch', 'This idempotency key was used for another request.');
}

function encodeQuestion(parts: readonly Part[], start: TurnStart): Uint8Array {
  return encodeMessage({
    id: '',
    turnId: start.turnId,
    author: 'user',
    content: '',
    parts,
    createTime: start.createTime,
  });
}

function refusal(begun: Exclude<Begun, { outcome: 'begun' | 'repeated' }>): ChatError {
  switch (begun.outcome) {
    case 'idempotency_mismatch':
      return idempotencyMismatch();
    case 'busy':
      return new ChatError('turn_in_progress', 'Another turn of this session is running.', {
        activeTurnId: begun.turnId,
        retryAfterS: 1,
      });
    case 'turn_exists':
      return new ChatError('turn_exists', 'The session already has a turn with this id.');
    case 'version_mismatch':
      return versionMismatch(begun.version);
    case 'history_full':
      return new ChatError('history_full', `The history is full (${begun.messageCount} messages).`);
    case 'calls_mismatch': {
      const wanted = begun.openCalls === '' ? 'no function response' : `exactly the responses to ${begun.openCalls}`;
      return invalidField('/parts', `must hold ${wanted}: the history's last message decides`);
    }
    default:
      return begun satisfies never;
  }
}
