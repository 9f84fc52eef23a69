// What one streamed send does over the service: how it begins, goes on, and is left.

import type { Sending, TurnRequests } from './turn-requests.ts';
import type { StreamSource } from './turn-stream.ts';

export interface StreamedSend {
  readonly sessionId: string;
  readonly message: Sending;
  readonly onDisconnect: 'cancel' | 'continue';
  readonly idleMs: number;
  readonly recoverMs: number;
  /** Before the message is sent. */
  readonly ready: (signal: AbortSignal | undefined) => Promise<void>;
  /** The turn is left while it may be running. */
  readonly abandon: (turnId: string) => void;
}

export function streamSource(send: StreamedSend, requests: TurnRequests): StreamSource {
  const { message, onDisconnect } = send;
  const { turnId } = message;
  return {
    sessionId: send.sessionId,
    turnId,
    onDisconnect,
    idleMs: send.idleMs,
    recoverMs: send.recoverMs,
    async open(signal, onCut) {
      await send.ready(signal);
      return requests.sendForEvents(message, { signal, onUnheard: onCut });
    },
    resume: (lastEventId, signal) => requests.follow(turnId, lastEventId, signal),
    recover: (signal) => requests.ended(turnId, signal),
    leave() {
      if (onDisconnect === 'cancel') send.abandon(turnId);
    },
  };
}
