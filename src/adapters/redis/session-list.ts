// An owner's sessions, newest activity first. The list lives on another slot than the sessions, so it is written after
// the fact, may lag behind, and is put right while it is read: members that have gone are dropped when met.

import { invalidPageToken } from '../../chat/refusals.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import { Errands } from './errands.ts';
import { sessionKeys, sessionListKey } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { SCRIPTS } from './scripts.ts';
import { number, readStored, text } from './stored-session.ts';

/** A place in the list: what comes after it is older, or as old with a smaller id. */
interface Cursor {
  readonly score: number;
  readonly sessionId: string;
}

interface Member extends Cursor {
  readonly stored: StoredSession | undefined;
}

/** How many rounds of dropping dead members one page may take before it is answered short. */
const HEALING_ROUNDS_MAX = 8;

export class SessionList {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #errands = new Errands();

  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** Never fails: a list that could not be written is put right by the session's next activity. */
  async touch(key: SessionKey, activityMs: number, ttlMs: number): Promise<void> {
    const list = sessionListKey(this.#prefix, key.owner);
    await this.#redis.run(SCRIPTS.touch, [list], [key.sessionId, activityMs, ttlMs]).catch(() => undefined);
  }

  /** The same without waiting, for the hot path. */
  touchSoon(key: SessionKey, activityMs: number, ttlMs: number): void {
    this.#errands.run(this.touch(key, activityMs, ttlMs));
  }

  /** The session, once its activity is noted. */
  async noted(key: SessionKey, stored: StoredSession): Promise<StoredSession> {
    await this.touch(key, stored.updateTimeMs, stored.ttlS * 1000);
    return stored;
  }

  /** For a session that was deleted, with the time of its newest activity: one made again since is not forgotten. */
  forgetSoon({ owner, sessionId }: SessionKey, activityMs: number): void {
    this.#errands.run(this.#forget(owner, { sessionId, score: activityMs }));
  }

  /** Costs O(page). A page may be shorter than asked for when many members had gone; the token tells if there is more. */
  async page(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    let cursor = pageToken === undefined ? undefined : parseToken(pageToken);
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
    return cursor ? { items, nextPageToken: `${cursor.score}.${cursor.sessionId}` } : { items };
  }

  /** Waits for what was left to do later, so that closing loses nothing. */
  settle(): Promise<void> {
    return this.#errands.settle();
  }

  async #membersAfter(owner: string, cursor: Cursor | undefined, count: number): Promise<readonly Member[]> {
    const list = sessionListKey(this.#prefix, owner);
    const from = cursor ? String(cursor.score) : '+inf';
    const members: Cursor[] = [];
    // Sessions of the same millisecond as the cursor are met again and passed over, however many they are.
    for (let offset = 0; members.length < count; ) {
      const args = [from, '-inf', 'BYSCORE', 'REV', 'LIMIT', offset, count, 'WITHSCORES'];
      const reply = (await this.#redis.call('ZRANGE', list, ...args)) as Uint8Array[];
      for (let i = 0; i < reply.length; i += 2) {
        const member = { sessionId: text(reply[i]), score: number(reply[i + 1]) };
        if (!cursor || isAfter(member, cursor)) members.push(member);
      }
      offset += reply.length / 2;
      if (reply.length < 2 * count) break;
    }
    const page = members.slice(0, count);
    const stored = await this.#read(
      owner,
      page.map(({ sessionId }) => sessionId),
    );
    return page.map((member, index) => ({ ...member, stored: stored[index] }));
  }

  #read(owner: string, sessionIds: readonly string[]): Promise<(StoredSession | undefined)[]> {
    return Promise.all(
      sessionIds.map(async (sessionId) => {
        const { meta } = sessionKeys(this.#prefix, { owner, sessionId });
        return readStored(this.#redis, sessionId, meta);
      }),
    );
  }

  async #forget(owner: string, { sessionId, score }: Cursor): Promise<void> {
    await this.#redis.run(SCRIPTS.forget, [sessionListKey(this.#prefix, owner)], [sessionId, score]);
  }
}

/** Redis orders members of one score by their bytes; reversed, the greater one comes first. */
function isAfter(member: Cursor, cursor: Cursor): boolean {
  return member.score < cursor.score || (member.score === cursor.score && member.sessionId < cursor.sessionId);
}

function parseToken(token: string): Cursor {
  const match = /^(\d{1,16})\.([A-Za-z0-9_-]{1,128})$/.exec(token);
  if (!match?.[1] || !match[2]) throw invalidPageToken();
  return { score: Number(match[1]), sessionId: match[2] };
}
