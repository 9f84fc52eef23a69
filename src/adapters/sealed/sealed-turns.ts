// The turns of a session, sealed: every record, question and batch of frames, and what idempotency keys were used for.

import type { BeginTurn, Begun, Idempotency, LeaveLine, Recalled } from '../../chat/claim.ts';
import type { Encoded } from '../../chat/encoded.ts';
import { asChatError } from '../../chat/errors.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type { SessionStore } from '../../chat/session-store.ts';
import type { EventCursor } from '../../chat/turn-event.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type {
  Appended,
  CancelRequest,
  EventBatch,
  Finished,
  FinishTurn,
  ReapTurn,
  Renewed,
  StoredTurn,
  TurnStore,
} from '../../chat/turn-store.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { framesOf, messageAt, questionOf, turnOf } from './places.ts';
import type { Sealer } from './sealer.ts';
import type { SessionSeals } from './session-seals.ts';

/** Members of the port; promises and errors are described there. Each may fail with `internal`: something cannot be read. */
export class SealedTurns implements TurnStore {
  protected readonly store: SessionStore;
  protected readonly seals: SessionSeals;

  constructor(store: SessionStore, seals: SessionSeals) {
    this.store = store;
    this.seals = seals;
  }

  recall(key: SessionKey, idempotency: Idempotency): Promise<Recalled | undefined> {
    return this.seals.write(key, (sealer) => {
      return this.store.recall(key, { ...sealedKey(sealer, idempotency), sealId: sealer.sealId });
    });
  }

  begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    return this.seals.change(key, async (sealer) => {
      const begun = await this.store.begin(key, sealedTurn(sealer, turn));
      if (begun.outcome === 'calls_mismatch') return { ...begun, openCalls: sealer.openText(begun.openCalls) };
      if (begun.outcome !== 'begun') return begun;
      try {
        const history = begun.history?.map((message, at) => sealer.open(messageAt(at), message));
        return { ...begun, ...(history ? { history } : {}) };
      } catch (error) {
        // Nobody will produce this turn, and it must not block the session until its lease is over.
        await this.store.letGo(key, turn).catch(() => undefined);
        throw error;
      }
    });
  }

  letGo(key: SessionKey, turn: Pick<BeginTurn, 'turnId' | 'attempt'>): Promise<void> {
    return this.store.letGo(key, turn);
  }

  leave(key: SessionKey, turn: LeaveLine): Promise<boolean> {
    return this.seals.write(key, (sealer) => {
      const record = sealer.seal(turnOf(turn.turnId), turn.record);
      return this.store.leave(key, { ...turn, record, sealId: sealer.sealId });
    });
  }

  append(key: SessionKey, epoch: number, batch: EventBatch): Promise<Appended> {
    return this.seals
      .write(key, (sealer) => {
        return this.store.append(key, epoch, { ...sealedBatch(sealer, epoch, batch), sealId: sealer.sealId });
      })
      .catch(ifGone({ outcome: 'gone' }));
  }

  finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    return this.seals
      .write(key, (sealer) => this.store.finish(key, sealedEnding(sealer, turn)))
      .catch(ifGone({ outcome: 'gone' }));
  }

  renew(key: SessionKey, epoch: number, leaseMs: number): Promise<Renewed> {
    return this.store.renew(key, epoch, leaseMs);
  }

  requestCancel(key: SessionKey, turnId: string, keep: Keep): Promise<boolean> {
    return this.store.requestCancel(key, turnId, keep);
  }

  onCancel(listener: (request: CancelRequest) => void): void {
    this.store.onCancel(listener);
  }

  reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    const { turnId, epoch, seq } = turn;
    return this.seals
      .write(key, (sealer) => {
        const frame = sealer.seal(framesOf(epoch, { afterSeq: 0, lastSeq: seq }), turn.frame);
        const record = sealer.seal(turnOf(turnId), turn.record);
        return this.store.reap(key, { ...turn, record, frame, sealId: sealer.sealId });
      })
      .catch(ifGone(false));
  }

  readTurn(key: SessionKey, turnId: string): Promise<StoredTurn> {
    return this.seals.read(key, () => this.store.readTurn(key, turnId), openedTurn);
  }

  listTurns(key: SessionKey, pageSize: number, pageToken?: string): Promise<Page<StoredTurn>> {
    return this.seals.read(
      key,
      () => this.store.listTurns(key, pageSize, pageToken),
      (sealer, page) => ({ ...page, items: page.items.map((turn) => openedTurn(sealer, turn)) }),
    );
  }

  readQuestion(key: SessionKey, turnId: string): Promise<Encoded | undefined> {
    return this.seals.read(
      key,
      () => this.store.readQuestion(key, turnId),
      (sealer, question) => question && sealer.open(questionOf(turnId), question),
    );
  }

  readUsage(key: SessionKey): Promise<UsageSums> {
    return this.store.readUsage(key);
  }

  epochOf(key: SessionKey, turnId: string): Promise<number> {
    return this.store.epochOf(key, turnId);
  }

  readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    return this.seals.read(
      key,
      () => this.store.readFrames(key, epoch, afterSeq),
      (sealer, batches) => batches.map((batch) => openedBatch(sealer, epoch, batch)),
    );
  }

  readEvents(key: SessionKey, after: EventCursor): Promise<readonly (EventBatch & { readonly epoch: number })[]> {
    return this.seals.read(
      key,
      () => this.store.readEvents(key, after),
      (sealer, batches) => batches.map((batch) => openedBatch(sealer, batch.epoch, batch)),
    );
  }

  cursorNow(key: SessionKey): Promise<EventCursor> {
    return this.store.cursorNow(key);
  }
}

/** With what was sent known by a digest that only the session can make. */
export function sealedKey<Key extends Idempotency>(sealer: Sealer, idempotency: Key): Key {
  return { ...idempotency, fingerprint: sealer.fingerprint(idempotency.fingerprint) };
}

function sealedTurn(sealer: Sealer, turn: BeginTurn): BeginTurn {
  const { turnId, record, question, line, answeredCalls, idempotency } = turn;
  return {
    ...turn,
    record: sealer.seal(turnOf(turnId), record),
    question: sealer.seal(questionOf(turnId), question),
    line: { ...line, record: line.record === '' ? '' : sealer.seal(turnOf(turnId), line.record) },
    answeredCalls: sealer.sealText(answeredCalls),
    ...(idempotency ? { idempotency: sealedKey(sealer, idempotency) } : {}),
    sealId: sealer.sealId,
  };
}

function sealedEnding(sealer: Sealer, turn: FinishTurn): FinishTurn {
  const { turnId, epoch, batch, record, fullRecord, messages, position, openCalls } = turn;
  const sealed = (message: Encoded, at: number) => sealer.seal(messageAt(position + at), message);
  return {
    ...turn,
    batch: sealedBatch(sealer, epoch, batch),
    record: sealer.seal(turnOf(turnId), record),
    ...(fullRecord ? { fullRecord: sealer.seal(turnOf(turnId), fullRecord) } : {}),
    ...(messages ? { messages: [sealed(messages[0], 0), sealed(messages[1], 1)] } : {}),
    openCalls: sealer.sealText(openCalls),
    sealId: sealer.sealId,
  };
}

function sealedBatch(sealer: Sealer, epoch: number, batch: EventBatch): EventBatch {
  return { ...batch, frames: sealer.seal(framesOf(epoch, batch), batch.frames) };
}

function openedBatch<Batch extends EventBatch>(sealer: Sealer, epoch: number, batch: Batch): Batch {
  return { ...batch, frames: sealer.open(framesOf(epoch, batch), batch.frames) };
}

function openedTurn(sealer: Sealer, turn: StoredTurn): StoredTurn {
  return { ...turn, record: sealer.open(turnOf(turn.turnId), turn.record) };
}

/** What a step says that meets no session. */
function ifGone<Answer>(answer: Answer): (error: unknown) => Answer {
  return (error) => {
    if (asChatError(error).code === 'session_not_found') return answer;
    throw error;
  };
}
