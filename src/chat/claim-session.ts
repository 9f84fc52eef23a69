// How a session is claimed for a turn: dead ones that are in the way are ended, what is refused is said in the caller's
// words.

import type { BeginTurn, Begun, Holder } from './claim.ts';
import { asChatError, ChatError, invalidField } from './errors.ts';
import { dropWaiting, type ReapDependencies, reapTurn } from './reap-turn.ts';
import { historyFull, idempotencyMismatch, notLatestTurn, turnInProgress, versionMismatch } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { TurnDependencies } from './turn-plan.ts';

/** How often a dead turn is ended before giving up: others may begin and die in between. */
const REAPS_MAX = 8;

export type ClaimDependencies = ReapDependencies & Pick<TurnDependencies, 'limits'>;

/** What a send can go on from. */
export type Claimed = Extract<Begun, { outcome: 'begun' | 'repeated' | 'waits' | 'left' | 'stale' }>;

/** Fails with what `begin` refuses. */
export async function claimSession(key: SessionKey, turn: BeginTurn, deps: ClaimDependencies): Promise<Claimed> {
  let { onBusy } = turn;
  for (let reaps = 0; ; reaps += 1) {
    const begun = await begin(key, { ...turn, onBusy }, deps);
    const dead = reaps < REAPS_MAX ? deadHolder(begun) : undefined;
    if (!dead) return orRefusal(begun);
    if (dead.isWaiting) await dropWaiting(key, dead.turnId, deps);
    else await reapTurn(key, dead, deps);
    if (begun.outcome === 'waits') onBusy = 'waiting';
  }
}

/** How often a question is looked for again whose turn ends just when it is to be asked again. */
const CLAIMS_MAX = 8;

/** What is asked again may have become something else since it was read: then it is claimed as what it is now, if it still can be. */
export async function claimAsOfNow<Coming>(
  prepared: Coming,
  claim: (coming: Coming) => Promise<Claimed>,
  asOfNow: (coming: Coming) => Promise<Coming>,
): Promise<{ readonly coming: Coming; readonly claimed: Claimed }> {
  let coming = prepared;
  for (let claims = 1; ; claims += 1) {
    try {
      return { coming, claimed: await claim(coming) };
    } catch (error) {
      if (asChatError(error).code !== 'not_latest_turn' || claims === CLAIMS_MAX) throw error;
      coming = await asOfNow(coming);
    }
  }
}

const NO_ROOM = { messages: 0, bytes: 0 };

/**
 * Instead of a claim that must not be made: fails with `refusal`, unless the store refuses the turn for a reason that is looked
 * at before (its id is taken, the session is busy or has another version), or the same send has been here before.
 */
export async function refuseClaim(
  key: SessionKey,
  turn: BeginTurn,
  refusal: ChatError,
  deps: ClaimDependencies,
): Promise<Claimed> {
  try {
    return await claimSession(key, { ...turn, onBusy: 'reject', historyLimit: NO_ROOM }, deps);
  } catch (error) {
    const { code } = asChatError(error);
    const isToWait = code === 'turn_in_progress' && turn.onBusy !== 'reject';
    throw isToWait || code === 'history_full' ? refusal : error;
  }
}

/** A claim that may have been made must not block the session until its lease is over. */
async function begin(key: SessionKey, turn: BeginTurn, deps: ClaimDependencies): Promise<Begun> {
  try {
    return await deps.store.begin(key, turn);
  } catch (error) {
    // A turn that waits comes back for its place by itself.
    if (asChatError(error).code === 'store_unavailable' && turn.onBusy !== 'waiting') void letGo(key, turn, deps);
    throw error;
  }
}

/** Tried for as long as the end of a turn is. */
async function letGo(key: SessionKey, turn: BeginTurn, { store, clock, limits }: ClaimDependencies): Promise<void> {
  const deadline = clock.now() + limits.finishBudgetMs;
  for (let attempt = 0; clock.now() < deadline; attempt += 1) {
    try {
      await store.letGo(key, turn);
      return;
    } catch {
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.after(Math.min(2000, 100 * 2 ** attempt), resolve);
      await promise;
    }
  }
}

function deadHolder(begun: Begun): Holder | undefined {
  if (begun.outcome === 'busy') return begun.hasLease ? undefined : begun;
  if (begun.outcome === 'waits') return begun.holder.hasLease ? undefined : begun.holder;
  return undefined;
}

function orRefusal(begun: Begun): Claimed {
  switch (begun.outcome) {
    case 'begun':
    case 'repeated':
    case 'waits':
    case 'left':
    case 'stale':
      return begun;
    case 'idempotency_mismatch':
      throw idempotencyMismatch();
    case 'busy':
      throw turnInProgress(begun.turnId);
    case 'queue_full':
      throw new ChatError('queue_full', 'Too many turns wait for this session already.', { retryAfterS: 1 });
    case 'turn_exists':
      throw new ChatError('turn_exists', 'The session already has a turn with this id.');
    case 'version_mismatch':
      throw versionMismatch(begun.version);
    case 'budget_exhausted': {
      const detail = `The session has spent ${begun.tokensSpent} tokens, and its tokenBudget is no more than that.`;
      throw new ChatError('budget_exhausted', `${detail} Raise it, or remove it.`);
    }
    case 'history_full':
      throw historyFull(begun.messageCount);
    case 'not_latest_turn':
      throw notLatestTurn();
    case 'calls_mismatch': {
      const wanted = begun.openCalls === '' ? 'no function response' : `exactly the responses to ${begun.openCalls}`;
      throw invalidField('/parts', `must hold ${wanted}: the history's last message decides`);
    }
    default:
      return begun satisfies never;
  }
}
