// From what the store keeps to what clients read of a session.

import { isoTime } from './clock.ts';
import { decodeConfig } from './records.ts';
import type { Session } from './session.ts';
import type { StoredSession } from './stored-session.ts';

/** A session as clients read it. A running turn is shown while its producer is believed to be alive. */
export function presentSession(stored: StoredSession, nowMs: number): Session {
  const { running } = stored;
  const isAlive = running !== undefined && running.leaseUntilMs > nowMs;
  return {
    ...decodeConfig(stored.config),
    id: stored.sessionId,
    ttl: stored.ttlS,
    createTime: isoTime(stored.createTimeMs),
    updateTime: isoTime(stored.updateTimeMs),
    // A session does not expire under its running turn.
    expireTime: isoTime(Math.max(stored.updateTimeMs + stored.ttlS * 1000, isAlive ? running.leaseUntilMs : 0)),
    version: stored.version,
    messageCount: stored.messageCount,
    ...(isAlive ? { activeTurnId: running.turnId } : {}),
    usage: stored.usage,
  };
}
