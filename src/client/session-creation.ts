// The session on the server, made when it is first needed: starting a chat sends nothing, as in the seed.

import { ChatProxyError } from './chat-proxy-error.ts';
import { orAborted } from './waiting.ts';

export interface SessionCreation {
  /**
   * Resolves once the session exists. Many callers make one request; what fails is tried again by the next caller. A
   * caller's signal ends his own wait only: the others still want the session.
   */
  ready(signal?: AbortSignal): Promise<void>;
  /** Whether the server has the session, begun attempts included. `maybe`: it was asked, and said nothing. */
  exists(signal?: AbortSignal): Promise<'yes' | 'no' | 'maybe'>;
}

export function existingSession(): SessionCreation {
  return {
    ready: async (signal) => signal?.throwIfAborted(),
    exists: async () => 'yes',
  };
}

/** `isIdOurs`: nobody else can have chosen the id. */
export function createOnce(create: () => Promise<unknown>, isIdOurs: boolean): SessionCreation {
  let creation: Promise<void> | undefined;
  let hasFailed = false;
  const begin = async () => {
    try {
      await create();
    } catch (error) {
      // An earlier attempt was heard, but its answer was not.
      if (isIdOurs && error instanceof ChatProxyError && error.code === 'session_exists') return;
      creation = undefined;
      hasFailed = true;
      throw error;
    }
  };
  const wait = async (signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    creation ??= begin();
    await orAborted(creation, signal);
  };
  return {
    ready: wait,
    async exists(signal) {
      if (!creation) return hasFailed ? 'maybe' : 'no';
      const yes = await wait(signal).then(
        () => true,
        () => false,
      );
      signal?.throwIfAborted();
      return yes ? 'yes' : 'maybe';
    },
  };
}
