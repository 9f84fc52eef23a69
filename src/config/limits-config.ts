// How much callers may use, from the environment. Without identity everybody is the same owner: whose limits would be those of
// the whole service, and are none unless they are written out.

import type { Environment } from './environment.ts';

/** 0 for no limit, everywhere. */
export interface Limits {
  readonly ownerRequestsPerMinute: number;
  readonly addressRequestsPerMinute: number;
  readonly turnsPerOwnerMax: number;
  readonly streamsPerOwnerMax: number;
  readonly sessionsPerOwnerMax: number;
  /** Of this process. */
  readonly streamsMax: number;
  readonly connectionsMax: number;
}

export function readLimits(env: Environment): Limits {
  const hasOwners = env.AUTH !== undefined && env.AUTH !== 'none';
  const ofOwner = (written: number | undefined, usual: number) => written ?? (hasOwners ? usual : 0);
  return {
    ownerRequestsPerMinute: ofOwner(env.RATE_LIMIT_PER_MINUTE, 6000),
    addressRequestsPerMinute: env.RATE_LIMIT_PER_MINUTE_PER_ADDRESS,
    turnsPerOwnerMax: ofOwner(env.MAX_TURNS_PER_OWNER, 100),
    streamsPerOwnerMax: ofOwner(env.MAX_STREAMS_PER_OWNER, 200),
    sessionsPerOwnerMax: ofOwner(env.MAX_SESSIONS_PER_OWNER, 10_000),
    streamsMax: env.MAX_STREAMS,
    connectionsMax: env.MAX_CONNECTIONS,
  };
}
