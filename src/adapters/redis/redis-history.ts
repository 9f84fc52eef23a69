// The history of a session in Redis: each change is one script, whose outcomes are translated here, once.

import type { HistoryStore, MessageRange, RewindSession } from '../../chat/history-store.ts';
import { sessionNotFound, turnInProgress, versionMismatch } from '../../chat/refusals.ts';
import type { SessionKey } from '../../chat/session.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import { SCRIPTS } from './scripts.ts';
import type { SessionAccess } from './session-access.ts';
import type { SessionList } from './session-list.ts';
import { number, text } from './stored-session.ts';

/** Members of the port; promises and errors are described there. */
export class RedisHistory implements HistoryStore {
  readonly #access: SessionAccess;
  readonly #list: SessionList;

  constructor(access: SessionAccess, list: SessionList) {
    this.#access = access;
    this.#list = list;
  }

  async readMessages(key: SessionKey, { start, count }: MessageRange): Promise<readonly Uint8Array[]> {
    const { redis } = this.#access;
    const { meta, history } = this.#access.keys(key);
    const [exists, messages] = await Promise.all([
      redis.call('EXISTS', meta),
      count > 0 ? redis.call('LRANGE', history, start, start + count - 1) : [],
    ]);
    if (exists === 0) throw sessionNotFound();
    return messages as Uint8Array[];
  }

  async rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession> {
    const { attempt, ifVersion, length, bytesRemoved, latestTurnId = '', supersededTurnIds } = rewind;
    const args = [attempt, ifVersion, length, bytesRemoved, latestTurnId, ...supersededTurnIds];
    orRefusal(await this.#access.run(SCRIPTS.rewind, key, args));
    return this.#list.noted(key, await this.#access.read(key));
  }
}

/** What the scripts that change a history say instead of OK. */
function orRefusal([outcome, detail]: readonly [string, ...unknown[]]): void {
  if (outcome === 'GONE') throw sessionNotFound();
  if (outcome === 'BUSY') throw turnInProgress(text(detail));
  if (outcome === 'MOVED') throw versionMismatch(number(detail));
}
