// What `begin` answers instead of a turn that has begun.

import type { Begun, Holder } from '../../chat/claim.ts';
import { sessionNotFound } from '../../chat/refusals.ts';
import { number, text } from './stored-session.ts';

/** Fails with `session_not_found`. */
export function notBegun([outcome, first, second, third, fourth]: readonly unknown[]): Begun {
  switch (outcome) {
    case 'SAME':
      return { outcome: 'repeated', turnId: text(first) };
    case 'OTHER':
      return { outcome: 'idempotency_mismatch' };
    case 'STALE':
      return { outcome: 'stale' };
    case 'BUSY':
      return { outcome: 'busy', ...holderOf(first, second, third) };
    case 'WAIT':
      return { outcome: 'waits', place: number(first), holder: holderOf(second, third, fourth) };
    case 'CROWD':
      return { outcome: 'queue_full' };
    case 'LEFT':
      return { outcome: 'left' };
    case 'EXISTS':
      return { outcome: 'turn_exists' };
    case 'OLD':
      return { outcome: 'not_latest_turn' };
    case 'MOVED':
      return { outcome: 'version_mismatch', version: number(first) };
    case 'SPENT':
      return { outcome: 'budget_exhausted', tokensSpent: number(first) };
    case 'FULL':
      return { outcome: 'history_full', messageCount: number(first) };
    case 'CALLS':
      return { outcome: 'calls_mismatch', openCalls: Buffer.from(first as Uint8Array).toString('utf8') };
    default:
      throw sessionNotFound();
  }
}

function holderOf(turnId: unknown, epoch: unknown, isAlive: unknown): Holder {
  return {
    turnId: text(turnId),
    epoch: number(epoch),
    hasLease: number(isAlive) === 1,
    isWaiting: number(epoch) === 0,
  };
}
