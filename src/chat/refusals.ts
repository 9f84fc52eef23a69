// Refusals that more than one place has to make, in the same words: both stores, and the domain before it asks them.

import { ChatError } from './errors.ts';

export function sessionNotFound(): ChatError {
  return new ChatError('session_not_found', 'There is no such session.');
}

export function sessionExists(): ChatError {
  return new ChatError('session_exists', 'A session with this id exists already.');
}

/** Nothing that passes by itself soon: sessions have to be deleted, or to expire. */
export function tooManySessions(sessionsMax: number): ChatError {
  const detail = `The owner has ${sessionsMax} sessions, and may have no more. Delete some, or wait until they expire.`;
  return new ChatError('rate_limited', detail, { retryAfterS: 60 });
}

export function turnNotFound(): ChatError {
  return new ChatError('turn_not_found', 'The session has no such turn.');
}

export function turnInProgress(activeTurnId: string): ChatError {
  return new ChatError('turn_in_progress', 'Another turn of this session is running.', {
    activeTurnId,
    retryAfterS: 1,
  });
}

export function notLatestTurn(): ChatError {
  return new ChatError('not_latest_turn', 'The turn does not own the last messages of the history (any more).');
}

export function historyFull(messageCount: number): ChatError {
  return new ChatError('history_full', `The history is full (${messageCount} messages).`);
}

export function versionMismatch(currentVersion: number): ChatError {
  return new ChatError('version_mismatch', `The session has version ${currentVersion} now.`, { currentVersion });
}

export function sessionTooFast(): ChatError {
  return new ChatError('overloaded', 'The session changes faster than it can be read.', { retryAfterS: 1 });
}

export function idempotencyMismatch(): ChatError {
  return new ChatError('idempotency_mismatch', 'This idempotency key was used for another request.');
}

export function producerLost(): ChatError {
  return new ChatError('producer_lost', 'The replica that produced the turn was lost. Send the message again.');
}

export function invalidPageToken(): ChatError {
  return new ChatError('invalid_page_token', 'The page token is not one of this listing.');
}

export function logExpired(): ChatError {
  return new ChatError('log_expired', 'The events of the turn are not kept any more. The turn can still be read.');
}

/** For who can do without the log. */
export function unlessExpired(error: unknown): undefined {
  if (error instanceof ChatError && error.code === 'log_expired') return undefined;
  throw error;
}
