// A store whose contents are encrypted, in front of one that keeps them: it seals what goes in, opens what comes out, and hands on
// the rest. Without keys it seals nothing, and refuses what is sealed.

import type { Idempotency, KeptIdempotency } from '../../chat/claim.ts';
import type { Encoded } from '../../chat/encoded.ts';
import { asChatError } from '../../chat/errors.ts';
import type { ChooseCandidate, ImportMessages, MessageRange, RewindSession } from '../../chat/history-store.ts';
import { idempotencyMismatch } from '../../chat/refusals.ts';
import type { Seal } from '../../chat/seal.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type { CreateSession, News, SessionStore, UpdateSession, Watch } from '../../chat/session-store.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { RECORD_BYTES } from './data-key.ts';
import type { KeyRing } from './key-ring.ts';
import { CONFIG, messageAt, turnOf } from './places.ts';
import { SealedTurns, sealedKey } from './sealed-turns.ts';
import type { Sealer } from './sealer.ts';
import { type Alarm, SessionSeals } from './session-seals.ts';

/** Members of the port; promises and errors are described there. Each may fail with `internal`: something cannot be read. */
export class SealedSessionStore extends SealedTurns implements SessionStore {
  readonly #ring: KeyRing | undefined;

  /** `alarm` is told of everything that cannot be read. */
  constructor(store: SessionStore, ring: KeyRing | undefined, alarm: (alarm: Alarm) => void) {
    super(store, new SessionSeals(store, ring, alarm));
    this.#ring = ring;
  }

  async create(key: SessionKey, session: CreateSession): Promise<StoredSession> {
    const { config, messages, openCalls, idempotency } = session;
    const claim = idempotency && (await this.#claim(key, idempotency));
    const claimed = { ...key, sessionId: claim?.sessionId ?? key.sessionId };
    const { sealer, seal } = this.seals.make(claimed);
    const stored = await this.store.create(claimed, {
      ...session,
      config: sealer.seal(CONFIG, config),
      messages: sealedMessages(sealer, messages, 0),
      openCalls: sealer.sealText(openCalls),
      ...(claim ? { idempotency: claim.idempotency } : {}),
      ...(seal ? { seal } : {}),
    });
    return this.seals.opened(key.owner, stored);
  }

  async claimCreation(key: SessionKey, idempotency: KeptIdempotency): Promise<string> {
    return (await this.#claim(key, idempotency)).sessionId;
  }

  async recallCreation(owner: string, idempotency: Idempotency): Promise<StoredSession | undefined> {
    const stored = await this.#asKept(owner, idempotency, (kept) => this.store.recallCreation(owner, kept));
    return stored && this.seals.opened(owner, stored);
  }

  async read(key: SessionKey): Promise<StoredSession> {
    return this.seals.opened(key.owner, await this.store.read(key));
  }

  async list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    const page = await this.store.list(owner, pageSize, pageToken);
    return { ...page, items: page.items.map((stored) => this.seals.opened(owner, stored)) };
  }

  ownerUsage(owner: string, month: string): Promise<UsageSums> {
    return this.store.ownerUsage(owner, month);
  }

  async update(key: SessionKey, change: UpdateSession): Promise<StoredSession> {
    return this.#changed(key, (sealer) => {
      const config = sealer.seal(CONFIG, change.config);
      return this.store.update(key, { ...change, config, sealId: sealer.sealId });
    });
  }

  rewrap(key: SessionKey, seal: Seal): Promise<void> {
    return this.store.rewrap(key, seal);
  }

  async delete(key: SessionKey, ifVersion?: number): Promise<void> {
    await this.store.delete(key, ifVersion);
    this.seals.forget(key);
  }

  rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession> {
    return this.#changed(key, (sealer) => {
      const bytesBeside = sealer.sealId === undefined ? 0 : RECORD_BYTES * rewind.messagesRemoved;
      return this.store.rewind(key, { ...rewind, bytesRemoved: rewind.bytesRemoved + bytesBeside });
    });
  }

  choose(key: SessionKey, choice: ChooseCandidate): Promise<StoredSession> {
    const { turnId, message, position, openCalls, record, fullRecord } = choice;
    return this.#changed(key, (sealer) => {
      return this.store.choose(key, {
        ...choice,
        message: sealer.seal(messageAt(position), message),
        openCalls: sealer.sealText(openCalls),
        record: sealer.seal(turnOf(turnId), record),
        fullRecord: sealer.seal(turnOf(turnId), fullRecord),
        sealId: sealer.sealId,
      });
    });
  }

  importMessages(key: SessionKey, batch: ImportMessages): Promise<StoredSession> {
    const { messages, position, openCalls, idempotency } = batch;
    return this.#changed(key, (sealer) => {
      return this.store.importMessages(key, {
        ...batch,
        messages: sealedMessages(sealer, messages, position),
        openCalls: sealer.sealText(openCalls),
        ...(idempotency ? { idempotency: sealedKey(sealer, idempotency) } : {}),
        sealId: sealer.sealId,
      });
    });
  }

  readMessages(key: SessionKey, range: MessageRange): Promise<readonly Encoded[]> {
    return this.seals.read(
      key,
      () => this.store.readMessages(key, range),
      (sealer, messages) => messages.map((message, at) => sealer.open(messageAt(range.start + at), message)),
    );
  }

  watch(key: SessionKey, ring: (news: News) => void): Promise<Watch> {
    return this.store.watch(key, ring);
  }

  addressOf(key: SessionKey): string {
    return this.store.addressOf(key);
  }

  isReady(): Promise<boolean> {
    return this.store.isReady();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  async #changed(key: SessionKey, change: (sealer: Sealer) => Promise<StoredSession>): Promise<StoredSession> {
    return this.seals.opened(key.owner, await this.seals.change(key, change));
  }

  /** The id of the session, and the key as it is kept: contents are sealed for an id. */
  #claim(key: SessionKey, idempotency: KeptIdempotency) {
    return this.#asKept(key.owner, idempotency, async (kept) => {
      return { sessionId: await this.store.claimCreation(key, kept), idempotency: kept };
    });
  }

  /** It may be kept as it was before the keys were changed. Fails with `idempotency_mismatch` when it is of other contents. */
  async #asKept<Key extends Idempotency, Answer>(
    owner: string,
    idempotency: Key,
    ask: (kept: Key) => Promise<Answer>,
  ): Promise<Answer> {
    const { fingerprint } = idempotency;
    for (const known of this.#ring?.creationFingerprints(owner, fingerprint) ?? [fingerprint]) {
      try {
        return await ask({ ...idempotency, fingerprint: known });
      } catch (error) {
        if (asChatError(error).code !== 'idempotency_mismatch') throw error;
      }
    }
    throw idempotencyMismatch();
  }
}

function sealedMessages(sealer: Sealer, messages: readonly Encoded[], position: number): readonly Encoded[] {
  return messages.map((message, at) => sealer.seal(messageAt(position + at), message));
}
