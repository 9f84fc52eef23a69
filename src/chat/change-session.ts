// A change of a session that is made from what it is now: read, decide, write under the version that was read, and again
// when somebody else was faster.

import type { ChatDependencies } from './chat-dependencies.ts';
import { ChatError } from './errors.ts';
import { sessionTooFast, turnInProgress, versionMismatch } from './refusals.ts';
import type { StoredSession } from './stored-session.ts';

/** How often a change is tried when the session moves under it, before giving up. */
const TRIES_MAX = 32;

export interface Change {
  /** The session as it is; fails when it cannot be changed now. */
  readonly read: () => Promise<StoredSession>;
  /** The only version that may be changed; any when left out. */
  readonly ifVersion: number | undefined;
  /** Writes what follows from the session as it was read. `attempt` is the same for every try. */
  readonly write: (stored: StoredSession, attempt: string) => Promise<StoredSession>;
}

/**
 * Fails with `version_mismatch` when a version was named, with `overloaded` when others were faster every time, and with what
 * `read` and `write` fail with.
 */
export async function changeSession(
  change: Change,
  { newId }: Pick<ChatDependencies, 'newId'>,
): Promise<StoredSession> {
  const { read, ifVersion, write } = change;
  const attempt = newId();
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const stored = await read();
    if (ifVersion !== undefined && stored.version !== ifVersion) throw versionMismatch(stored.version);
    try {
      return await write(stored, attempt);
    } catch (error) {
      // What is read beside the session may be of another version of it: then a refusal says nothing.
      if (!isRace(error) && (await read()).version === stored.version) throw error;
    }
  }
  throw sessionTooFast();
}

/** For a change that cannot be made beside a running turn. Fails with `turn_in_progress`. */
export async function whenIdle(read: () => Promise<StoredSession>): Promise<StoredSession> {
  const stored = await read();
  if (stored.running) throw turnInProgress(stored.running.turnId);
  return stored;
}

function isRace(error: unknown): boolean {
  return error instanceof ChatError && error.code === 'version_mismatch';
}
