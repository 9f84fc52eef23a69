// How a send becomes a running turn: the session is claimed, its history comes along, and the model is asked. Or it waits
// for its time, or turns out to be a send that was made before.

import { cancelTurn } from './cancel-turn.ts';
import type { ChatDependencies } from './chat-dependencies.ts';
import type { BeginTurn, Begun } from './claim.ts';
import { claimAsOfNow, claimSession, refuseClaim } from './claim-session.ts';
import { isoTime } from './clock.ts';
import { asOfNow, type ComingTurn, type Making, prepareKnownTurn, prepareTurn, runTurn } from './coming-turn.ts';
import { checkUserParts } from './content.ts';
import { asChatError, ChatError } from './errors.ts';
import { checkFileUris } from './file-uris.ts';
import type { Send, SendAgain } from './next-request.ts';
import { decodeTurn } from './records.ts';
import { idempotencyMismatch } from './refusals.ts';
import type { RunningTurn } from './running-turn.ts';
import type { SessionKey } from './session.ts';
import { queuedTurn } from './turn.ts';
import { type Attempted, WaitingTurn } from './waiting-turn.ts';

/** An earlier send of the same key has made this turn. */
export interface RepeatedTurn {
  readonly repeatedTurnId: string;
}

/**
 * Claim the session and start the turn, unless the same send has done so before; or wait in line, if the send wants to.
 * Fails, before anything has begun, with `draining`, `session_not_found`, `invalid_argument`, `forbidden`, `unsupported_by_model`,
 * `turn_in_progress`, `queue_full`, `turn_exists`, `version_mismatch`, `budget_exhausted`, `history_full`,
 * `idempotency_mismatch`, `rate_limited`, `overloaded`, and with what `send.admit` fails with; when a question is asked again, also with `turn_not_found`, `not_latest_turn`, `overloaded`.
 */
export async function beginTurn(
  key: SessionKey,
  send: Send | SendAgain,
  isStream: boolean,
  deps: ChatDependencies,
): Promise<RunningTurn | WaitingTurn | RepeatedTurn> {
  // Before anything that may have changed since: what was answered then is answered now.
  const repeated = await recalled(key, send, deps);
  if (repeated) return repeated;
  try {
    return await begin(key, send, isStream, deps);
  } catch (error) {
    // Its twin may have begun since, and ended: what that has made is in this one's way. Of a claim whose outcome is not known
    // nothing is to be found: it is being taken back.
    const twin = asChatError(error).code !== 'store_unavailable' && (await recalled(key, send, deps));
    if (twin) return twin;
    throw error;
  }
}

/** Fails with `idempotency_mismatch`. */
async function recalled(
  key: SessionKey,
  { idempotency }: Send | SendAgain,
  { store }: ChatDependencies,
): Promise<RepeatedTurn | undefined> {
  const earlier = idempotency && (await store.recall(key, idempotency));
  if (earlier?.outcome === 'idempotency_mismatch') throw idempotencyMismatch();
  return earlier && { repeatedTurnId: earlier.turnId };
}

/** A new turn, as far as there is room for one: it holds its place until it has ended, whoever still watches it. */
async function begin(
  key: SessionKey,
  send: Send | SendAgain,
  isStream: boolean,
  deps: ChatDependencies,
): Promise<RunningTurn | WaitingTurn | RepeatedTurn> {
  checkRoom(deps);
  if ('parts' in send) {
    checkUserParts(send.parts, '/parts');
    checkFileUris(send.parts, deps.permissions.fileUris, '/parts');
  }
  await send.admit?.();
  const leave = await deps.turnPlaces.take(key.owner);
  try {
    const begun = await beginAdmitted(key, send, isStream, deps);
    if ('ended' in begun) void begun.ended.then(leave);
    else leave();
    return begun;
  } catch (error) {
    leave();
    throw error;
  }
}

function checkRoom({ running, isOverloaded }: ChatDependencies): void {
  if (running.isDraining) {
    throw new ChatError('draining', 'This replica is being shut down. Send the message again.');
  }
  if (isOverloaded()) {
    const detail =
      'This replica has too much to do to begin another turn. Send the message again, perhaps to another one.';
    throw new ChatError('overloaded', detail, { retryAfterS: 2 });
  }
}

async function beginAdmitted(
  key: SessionKey,
  send: Send | SendAgain,
  isStream: boolean,
  deps: ChatDependencies,
): Promise<RunningTurn | WaitingTurn | RepeatedTurn> {
  const identity = {
    turnId: send.turnId ?? deps.newId(),
    createTime: isoTime(deps.clock.now()),
    attempt: deps.newId(),
  };
  const making = { isStream, identity };
  const known = await claimKnown(key, send, making, deps);
  const { coming, claimed } = known ?? (await claimPrepared(await prepareTurn(key, send, making, deps), deps));
  switch (claimed.outcome) {
    case 'begun':
      return runTurn(coming, claimed, deps);
    case 'waits':
      return wait(coming, claimed, deps);
    case 'repeated':
      // The answer to our own claim was lost, and its resend found it made.
      if (claimed.turnId !== coming.turn.turnId || send.turnId !== undefined) return { repeatedTurnId: claimed.turnId };
      return begunOrWaiting(coming, deps);
    case 'left':
    case 'stale':
      throw new ChatError('internal', 'A turn left a line that it never stood in, or had seen what it had not.');
    default:
      return claimed satisfies never;
  }
}

/** As this process knows the session; `undefined` when it is not, or is not what it was. */
async function claimKnown(key: SessionKey, send: Send | SendAgain, making: Making, deps: ChatDependencies) {
  const known = 'again' in send ? undefined : deps.known.find(key);
  if (!known || 'again' in send) return undefined;
  let prepared: ComingTurn;
  try {
    prepared = prepareKnownTurn(key, send, known, making, deps);
  } catch {
    // It is refused as the session is, not as it was.
    return undefined;
  }
  const { coming, claimed } = await claimPrepared(prepared, deps);
  return claimed.outcome === 'stale' ? undefined : { coming, claimed };
}

function claimPrepared(prepared: ComingTurn, deps: ChatDependencies) {
  return claim(prepared, prepared.turn.onBusy, deps);
}

/** Who waits is refused when his turn runs: until then the history may have become shorter. */
function claim(prepared: ComingTurn, onBusy: BeginTurn['onBusy'], deps: ChatDependencies) {
  return claimAsOfNow(
    prepared,
    ({ key, turn, refusal }) => {
      // In line everything may change.
      const { seen: _seen, ...waiting } = turn;
      if (onBusy === 'waiting') return claimSession(key, { ...waiting, onBusy }, deps);
      if (refusal) return refuseClaim(key, turn, refusal, deps);
      return claimSession(key, { ...turn, onBusy }, deps);
    },
    (coming) => asOfNow(coming, deps),
  );
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
  if (claimed.outcome === 'begun') return { outcome: 'begun', running: runTurn(coming, claimed, deps) };
  return claimed.outcome === 'waits' ? claimed : { outcome: 'left' };
}

async function begunOrWaiting(
  prepared: ComingTurn,
  deps: ChatDependencies,
): Promise<RunningTurn | WaitingTurn | RepeatedTurn> {
  const { coming, claimed } = await claim(prepared, 'waiting', deps);
  if (claimed.outcome === 'begun') return runTurn(coming, claimed, deps);
  return claimed.outcome === 'waits' ? wait(coming, claimed, deps) : { repeatedTurnId: coming.turn.turnId };
}
