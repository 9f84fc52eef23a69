// What one streamed send does over the service: how it begins, goes on, is cancelled, and is left.

import { backoffMs } from './backoff.ts';
import type { CancelOptions } from './chat-options.ts';
import { ChatProxyError } from './chat-proxy-error.ts';
import type { Sending, TurnRequests } from './turn-requests.ts';
import type { StreamSource } from './turn-stream.ts';
import { pause } from './waiting.ts';

export interface StreamedSend {
  readonly sessionId: string;
  readonly message: Sending;
  readonly onDisconnect: 'cancel' | 'continue';
  readonly idleMs: number;
  readonly recoverMs: number;
  /** Before the message is sent. */
  readonly ready: (signal: AbortSignal | undefined) => Promise<void>;
  /** The turn is left while it may be running. `hasToBeAsked`: that our connection ends tells the service nothing. */
  readonly abandon: (turnId: string, hasToBeAsked: boolean) => void;
}

/** Between attempts to cancel a turn whose message is on its way. */
const UNKNOWN_PAUSES = { firstMs: 50, maxMs: 1000 };

export function streamSource(send: StreamedSend, requests: TurnRequests): StreamSource {
  const { message, onDisconnect } = send;
  const { turnId } = message;
  let connections = 0;
  let isOpening = true;
  return {
    sessionId: send.sessionId,
    turnId,
    onDisconnect,
    idleMs: send.idleMs,
    recoverMs: send.recoverMs,
    async open(signal, onCut) {
      try {
        await send.ready(signal);
        connections += 1;
        const onUnheard = (error: ChatProxyError) => {
          connections += 1;
          onCut(error);
        };
        return await requests.sendForEvents(message, { signal, onUnheard });
      } finally {
        isOpening = false;
      }
    },
    resume(lastEventId, signal) {
      connections += 1;
      return requests.follow(turnId, lastEventId, signal);
    },
    recover: (signal) => requests.ended(turnId, signal),
    async cancel(options: CancelOptions) {
      const beganAt = performance.now();
      for (let attempt = 0; ; attempt += 1) {
        // The message may be on its way while we ask.
        const mayBeUnknown = isOpening && performance.now() - beganAt < send.recoverMs;
        try {
          return await requests.cancel(turnId, options);
        } catch (error) {
          if (!mayBeUnknown || !isUnknown(error)) throw error;
        }
        await pause(backoffMs(attempt, UNKNOWN_PAUSES), options.signal);
      }
    },
    leave() {
      // Only the connection that began the turn means anything to it.
      if (onDisconnect === 'cancel') send.abandon(turnId, connections > 1);
    },
  };
}

/** The turn, or the session that it is to be in. */
function isUnknown(error: unknown): boolean {
  return error instanceof ChatProxyError && (error.code === 'turn_not_found' || error.code === 'session_not_found');
}
