// An owner's sessions, newest activity first. The list lives on another slot than the sessions, so it is written after
// the fact, may lag behind, and is put right while it is read: members that have gone are dropped when met.

import { invalidPageToken } from '../../chat/refusals.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import { Errands } from './errands.ts';
import { endOfTurn, Gathered } from './gathered.ts';
import { lifetimesKey, sessionKeys, sessionListKey } from './keys.ts';
import { type Place, placesAfter } from './newest-first.ts';
import type { RedisConnection } from './redis-connection.ts';
import { SCRIPTS } from './scripts.ts';
import { readStored, text } from './stored-session.ts';

interface Member extends Place {
  readonly stored: StoredSession | undefined;
}

interface Touch {
  readonly sessionId: string;
  readonly activityMs: number;
  readonly ttlMs: number;
}

/** For a session that is about to be made: much longer than that takes. */
const ADMITTED_MS = 60_000;

/** How many rounds of dropping dead members one page may take before it is answered short. */
const HEALING_ROUNDS_MAX = 8;

export class SessionList {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #errands = new Errands();
  readonly #touched = new Gathered<Touch>(endOfTurn, (owner, touches) =>
    this.#errands.run(this.#touch(owner, touches)),
  );

  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** Never fails: a list that could not be written is put right by the session's next activity. */
  async touch(key: SessionKey, activityMs: number, ttlMs: number): Promise<void> {
    await this.#touch(key.owner, [{ sessionId: key.sessionId, activityMs, ttlMs }]).catch(() => undefined);
  }

  /**
   * Whether there is room for another session of the owner; it is held for a while, until the session is there. Never fails:
   * without an answer there is room.
   */
  async admits({ owner, sessionId }: SessionKey, sessionsMax: number): Promise<boolean> {
    const args = [sessionId, sessionsMax, ADMITTED_MS];
    const admitted = this.#redis.run(SCRIPTS.admit, [lifetimesKey(this.#prefix, owner)], args);
    return admitted.then(
      ([word]) => text(word) === 'OK',
      () => true,
    );
  }

  /**
   * The same without waiting, for the hot path: with those of this turn of the event loop, and no later. Whoever is told of the
   * end of a turn may ask another replica; and a session that is deleted meanwhile must not come back.
   */
  touchSoon({ owner, sessionId }: SessionKey, activityMs: number, ttlMs: number): void {
    this.#touched.add(owner, sessionId, { sessionId, activityMs, ttlMs });
  }

  /** The session, once its activity is noted. */
  async noted(key: SessionKey, stored: StoredSession): Promise<StoredSession> {
    await this.touch(key, stored.updateTimeMs, stored.ttlS * 1000);
    return stored;
  }

  /** For a session that was deleted, with the time of its newest activity: one made again since is not forgotten. */
  forgetSoon({ owner, sessionId }: SessionKey, activityMs: number): void {
    this.#touched.flushOf(owner);
    this.#errands.run(this.#forget(owner, { member: sessionId, score: activityMs }));
  }

  /** Costs O(page). A page may be shorter than asked for when many members had gone; the token tells if there is more. */
  async page(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    let cursor = pageToken === undefined ? undefined : parseToken(pageToken);
    this.#touched.flushOf(owner);
    const items: StoredSession[] = [];
    for (let round = 0; round < HEALING_ROUNDS_MAX; round += 1) {
      const wanted = pageSize - items.length;
      const members = await this.#membersAfter(owner, cursor, wanted + 1);
      for (const member of members.slice(0, wanted)) {
        cursor = member;
        if (member.stored) items.push(member.stored);
        else await this.#forget(owner, member);
      }
      if (members.length <= wanted) return { items };
      if (items.length === pageSize) break;
    }
    return cursor ? { items, nextPageToken: `${cursor.score}.${cursor.member}` } : { items };
  }

  /** Waits for what was left to do later, so that closing loses nothing. */
  settle(): Promise<void> {
    this.#touched.flush();
    return this.#errands.settle();
  }

  async #touch(owner: string, touches: readonly Touch[]): Promise<void> {
    const args = touches.flatMap(({ sessionId, activityMs, ttlMs }) => [sessionId, activityMs, ttlMs]);
    await this.#redis.run(SCRIPTS.touch, this.#keys(owner), args);
  }

  async #membersAfter(owner: string, cursor: Place | undefined, count: number): Promise<readonly Member[]> {
    const places = await placesAfter(this.#redis, sessionListKey(this.#prefix, owner), cursor, count);
    const stored = await this.#read(
      owner,
      places.map(({ member }) => member),
    );
    return places.map((place, index) => ({ ...place, stored: stored[index] }));
  }

  #read(owner: string, sessionIds: readonly string[]): Promise<(StoredSession | undefined)[]> {
    return Promise.all(
      sessionIds.map(async (sessionId) => {
        const { meta } = sessionKeys(this.#prefix, { owner, sessionId });
        return readStored(this.#redis, sessionId, meta);
      }),
    );
  }

  async #forget(owner: string, { member, score }: Place): Promise<void> {
    await this.#redis.run(SCRIPTS.forget, this.#keys(owner), [member, score]);
  }

  #keys(owner: string): readonly string[] {
    return [sessionListKey(this.#prefix, owner), lifetimesKey(this.#prefix, owner)];
  }
}

function parseToken(token: string): Place {
  const match = /^(\d{1,16})\.([A-Za-z0-9_-]{1,128})$/.exec(token);
  if (!match?.[1] || !match[2]) throw invalidPageToken();
  return { score: Number(match[1]), member: match[2] };
}
