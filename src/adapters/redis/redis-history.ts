// The history of a session in Redis: each change is one script, whose outcomes are translated here, once.

import type {
  ChooseCandidate,
  HistoryStore,
  ImportMessages,
  MessageRange,
  RewindSession,
} from '../../chat/history-store.ts';
import {
  historyFull,
  idempotencyMismatch,
  notLatestTurn,
  sessionNotFound,
  turnInProgress,
  versionMismatch,
} from '../../chat/refusals.ts';
import type { SessionKey } from '../../chat/session.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import type { RedisArgument } from './redis-connection.ts';
import { SCRIPTS, type Script } from './scripts.ts';
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

  rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession> {
    const { attempt, ifVersion, length, bytesRemoved, latestTurnId = '', supersededTurnIds } = rewind;
    const args = [attempt, ifVersion, length, bytesRemoved, latestTurnId, ...supersededTurnIds];
    return this.#change(SCRIPTS.rewind, key, args);
  }

  choose(key: SessionKey, choice: ChooseCandidate): Promise<StoredSession> {
    const { attempt, ifVersion, turnId, message, openCalls, record, fullRecord, sealId = '' } = choice;
    const args = [attempt, ifVersion, turnId, message, openCalls, record, fullRecord, sealId];
    return this.#change(SCRIPTS.choose, key, args);
  }

  importMessages(key: SessionKey, batch: ImportMessages): Promise<StoredSession> {
    const { attempt, ifVersion, messages, openCalls, historyLimit, sealId = '' } = batch;
    const { key: named = '', fingerprint = '', ttlMs = 0 } = batch.idempotency ?? {};
    const limits = [historyLimit.messages, historyLimit.bytes];
    const args = [attempt, ifVersion, openCalls, ...limits, named, fingerprint, ttlMs, ...messages, sealId];
    return this.#change(SCRIPTS.importMessages, key, args);
  }

  async #change(script: Script, key: SessionKey, args: readonly RedisArgument[]): Promise<StoredSession> {
    orRefusal(await this.#access.run(script, key, args));
    return this.#list.noted(key, await this.#access.read(key));
  }
}

/** What the scripts that change a history say instead of OK. */
function orRefusal([outcome, detail]: readonly [string, ...unknown[]]): void {
  switch (outcome) {
    case 'OK':
      return;
    case 'BUSY':
      throw turnInProgress(text(detail));
    case 'MOVED':
      throw versionMismatch(number(detail));
    case 'OLD':
      throw notLatestTurn();
    case 'FULL':
      throw historyFull(number(detail));
    case 'OTHER':
      throw idempotencyMismatch();
    default:
      throw sessionNotFound();
  }
}
