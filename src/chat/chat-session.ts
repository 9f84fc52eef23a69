// One chat session: what may be asked of it, and what the next request to the model is. Modelled on the class of the
// same name in Google's Vertex AI SDK (`sendMessage`, `sendMessageStreaming`, `messageHistory`), with the history kept
// in a store instead of the caller's memory. An answer enters the history only when it is complete.

import { beginTurn } from './begin-turn.ts';
import { cancelTurn } from './cancel-turn.ts';
import { changeSession } from './change-session.ts';
import type { ChatDependencies } from './chat-dependencies.ts';
import { type Choice, chooseCandidate } from './choose-candidate.ts';
import { checkUserParts, type Message, type Part } from './content.ts';
import { settledWindow } from './context-window.ts';
import { EarlierTurn } from './earlier-turn.ts';
import type { Encoded } from './encoded.ts';
import { asChatError, invalidField } from './errors.ts';
import { checkFileUris } from './file-uris.ts';
import { fitRequest } from './fitted-request.ts';
import { type Fork, forkSession } from './fork-session.ts';
import type { TurnView } from './frame-log.ts';
import { type Import, importMessages } from './import-messages.ts';
import type { TokenCount } from './language-model.ts';
import { pageOfMessages } from './message-page.ts';
import { type Send, type SendAgain, standingRequest } from './next-request.ts';
import { checkNaming, namingOf } from './permissions.ts';
import { presentSession } from './present-session.ts';
import { dropWaiting, reapTurn } from './reap-turn.ts';
import { decodeConfig, decodeMessage, decodeTurn, encodeLimitedConfig } from './records.ts';
import { rewindSession } from './rewind-session.ts';
import type { RunningTurn } from './running-turn.ts';
import {
  METADATA_PAIRS_MAX,
  type MessageOrder,
  mergePatch,
  type Page,
  type RewindTarget,
  type Session,
  type SessionConfig,
  type SessionKey,
  type SessionPatch,
} from './session.ts';
import { checkDefaults, LABEL_PAIRS_MAX } from './settings.ts';
import type { StoredSession } from './stored-session.ts';
import { isOpen, type Turn } from './turn.ts';
import type { EventCursor } from './turn-event.ts';
import type { Keep } from './turn-machine.ts';
import { pageOfTurns, type TurnPageRequest } from './turn-page.ts';
import type { UsageSums } from './usage-sums.ts';
import { type ViewRequest, viewTurn } from './view-turn.ts';
import type { WaitingTurn } from './waiting-turn.ts';

export interface MessagePageRequest {
  readonly pageSize: number;
  readonly pageToken?: string;
  readonly order: MessageOrder;
}

/** A send that wants nothing of its turn but that it runs. */
type PlainSend = Send & { readonly idempotency?: undefined; readonly onBusy?: undefined };

export class ChatSession {
  readonly key: SessionKey;
  readonly #deps: ChatDependencies;

  constructor(key: SessionKey, deps: ChatDependencies) {
    this.key = key;
    this.#deps = deps;
  }

  /** Reaps a turn whose producer is dead. Fails with `session_not_found`. */
  async read(): Promise<Session> {
    return presentSession(await this.#readAlive(), this.#deps.clock.now());
  }

  /**
   * Change the configuration by a JSON merge patch. Atomic, also beside a running turn, which goes on with what it
   * began with. A patch that changes nothing is no change. Fails with `version_mismatch`, `invalid_argument`,
   * `forbidden`, `payload_too_large`, `session_not_found`, `overloaded`.
   */
  async update(patch: SessionPatch, ifVersion?: number): Promise<Session> {
    const { store, clock } = this.#deps;
    const read = () => store.read(this.key);
    const write = async (stored: StoredSession, attempt: string) => {
      const change = this.#patched(stored, patch);
      return change ? store.update(this.key, { ...change, ifVersion: stored.version, attempt }) : stored;
    };
    return presentSession(await changeSession({ read, ifVersion, write }, this.#deps), clock.now());
  }

  /** Removes what comes after a message of the history. Promises and errors: `rewindSession`. */
  async rewind(target: RewindTarget, ifVersion?: number): Promise<Session> {
    const stored = await rewindSession(this.key, { target, ifVersion }, () => this.#readAlive(), this.#deps);
    return presentSession(stored, this.#deps.clock.now());
  }

  /** Appends messages that were said elsewhere. Promises and errors: `importMessages`. */
  async importMessages(batch: Import): Promise<Session> {
    const stored = await importMessages(this.key, batch, () => this.#readAlive(), this.#deps);
    return presentSession(stored, this.#deps.clock.now());
  }

  /** Makes another session of it. Promises and errors: `forkSession`. */
  async fork(fork: Fork): Promise<Session> {
    return presentSession(await forkSession(this.key, fork, this.#deps), this.#deps.clock.now());
  }

  /** Puts another answer of a turn into the history. Promises and errors: `chooseCandidate`. */
  choose(choice: Choice): Promise<Turn> {
    return chooseCandidate(this.key, choice, () => this.#readAlive(), this.#deps);
  }

  /**
   * Removes every trace, and cancels a running turn: nothing of it can be written afterwards. Fails with `version_mismatch`,
   * `session_not_found`.
   */
  async delete(ifVersion?: number): Promise<void> {
    const running = this.#deps.running.find(this.key);
    this.#deps.known.forget(this.key);
    try {
      await this.#deps.store.delete(this.key, ifVersion);
    } catch (error) {
      // Gone already, perhaps by this very call whose answer was lost: its turn is gone as well.
      if (asChatError(error).code === 'session_not_found') running?.lose('gone');
      throw error;
    }
    running?.lose('gone');
  }

  /** What its turns have used, as far as the model reported it. Fails with `session_not_found`. */
  usage(): Promise<UsageSums> {
    return this.#deps.store.readUsage(this.key);
  }

  /** The committed history, page by page; costs O(page). Fails with `invalid_page_token`, `session_not_found`. */
  messageHistory(request: MessagePageRequest): Promise<Page<Message>> {
    return pageOfMessages(this.#deps.store, this.key, request);
  }

  /**
   * One question, or one that was asked before, answered by one unary call. The turn runs on its own: it can be watched or
   * waited for. With an idempotency key it may be one that was begun before. Errors: `beginTurn`.
   */
  sendMessage(send: PlainSend): Promise<RunningTurn>;
  sendMessage(send: Send | SendAgain): Promise<RunningTurn | WaitingTurn | EarlierTurn>;
  sendMessage(send: Send | SendAgain): Promise<RunningTurn | WaitingTurn | EarlierTurn> {
    return this.#send(send, false);
  }

  /** Same, answered as a stream of events. */
  sendMessageStreaming(send: PlainSend): Promise<RunningTurn>;
  sendMessageStreaming(send: Send | SendAgain): Promise<RunningTurn | WaitingTurn | EarlierTurn>;
  sendMessageStreaming(send: Send | SendAgain): Promise<RunningTurn | WaitingTurn | EarlierTurn> {
    return this.#send(send, true);
  }

  /**
   * What the next request would cost: configuration, committed history as far as the context window lets it be sent (all of
   * it, when the request would be refused) and, when given, a question. No turn, no change. Fails with `invalid_argument`,
   * `forbidden`, `session_not_found`, and as `LanguageModel.countTokens`.
   */
  async countTokens(question: readonly Part[] | undefined, signal: AbortSignal): Promise<TokenCount> {
    if (question) {
      checkUserParts(question, '/parts');
      checkFileUris(question, this.#deps.permissions.fileUris, '/parts');
    }
    const { store, model, permissions } = this.#deps;
    const stored = await store.read(this.key);
    const config = decodeConfig(stored.config);
    const history = await store.readMessages(this.key, { start: 0, count: stored.messageCount });
    const asked = question ? [{ author: 'user', parts: question } as const] : [];
    const next = { ...standingRequest(config), contents: asked };
    const { request } = fitRequest(config.contextWindow, history.map(decodeMessage), next);
    model.check(request);
    checkNaming(namingOf(request), this.key.owner, permissions);
    return model.countTokens(request, signal);
  }

  /** Fails with `turn_not_found`, `session_not_found`. Reaps the turn when its producer is dead. */
  async turn(turnId: string): Promise<Turn> {
    const running = this.#deps.running.find(this.key);
    if (running?.turnId === turnId && !running.isFinishing) return running.snapshot;
    const turn = await this.#readTurn(turnId);
    if (!isOpen(turn)) return turn;
    if (turn.state === 'QUEUED') await dropWaiting(this.key, turnId, this.#deps);
    else await this.#readAlive();
    return this.#readTurn(turnId);
  }

  /** All turns that are kept, page by page, each as `turn` gives it. Promises and errors: `pageOfTurns`. */
  turns(request: TurnPageRequest): Promise<Page<Turn>> {
    return pageOfTurns(this.#deps.store, this.key, request, (turnId) => this.turn(turnId));
  }

  /** Ends a running turn, on whatever replica. Promises and errors: `cancelTurn`. */
  cancel(turnId: string, keep: Keep): Promise<Turn> {
    return cancelTurn(this.key, turnId, keep, () => this.turn(turnId), this.#deps);
  }

  /** The events of a turn, from its beginning or from a cursor on, on any replica. Promises and errors: `viewTurn`. */
  view(request: ViewRequest): Promise<TurnView | undefined> {
    return viewTurn(this.key, request, () => this.turn(request.turnId), this.#deps);
  }

  /** The events of all turns from now on: those of the running turn from its beginning, then what comes. Never ends by itself. */
  follow(cursor?: EventCursor): Promise<TurnView> {
    return this.#deps.followed.followSession(this.key, cursor);
  }

  async #send(send: Send | SendAgain, isStream: boolean): Promise<RunningTurn | WaitingTurn | EarlierTurn> {
    const begun = await beginTurn(this.key, send, isStream, this.#deps);
    if (!('repeatedTurnId' in begun)) return begun;
    const turnId = begun.repeatedTurnId;
    return new EarlierTurn(this.key, turnId, () => this.turn(turnId), this.#deps);
  }

  async #readTurn(turnId: string): Promise<Turn> {
    return decodeTurn(await this.#deps.store.readTurn(this.key, turnId));
  }

  async #readAlive(): Promise<StoredSession> {
    const stored = await this.#deps.store.read(this.key);
    const { running } = stored;
    if (!running || running.leaseUntilMs > this.#deps.clock.now()) return stored;
    await reapTurn(this.key, running, this.#deps);
    return this.#deps.store.read(this.key);
  }

  #patched(stored: StoredSession, patch: SessionPatch): { config: Encoded; ttlS: number } | undefined {
    const { ttl, ...changes } = patch;
    const before = decodeConfig(stored.config);
    const merged = mergePatch(before, changes) as SessionConfig;
    const { contextWindow } = merged;
    const config = contextWindow ? { ...merged, contextWindow: settledWindow(contextWindow) } : merged;
    if (config.model === undefined) throw invalidField('/model', 'cannot be removed');
    checkPairs('/metadata', config.metadata, METADATA_PAIRS_MAX);
    checkPairs('/labels', config.labels, LABEL_PAIRS_MAX);
    checkDefaults(config);
    // Only what it changes: of a session whose model has been taken off the list, everything else can still be changed.
    checkNaming(changes, this.key.owner, this.#deps.permissions);
    const ttlS = ttl === undefined ? stored.ttlS : ttl === null ? this.#deps.chatLimits.sessionTtlS : Number(ttl);
    if (ttlS === stored.ttlS && JSON.stringify(config) === JSON.stringify(before)) return undefined;
    return {
      config: encodeLimitedConfig(config, this.#deps.chatLimits.configBytesMax),
      ttlS,
    };
  }
}

/** Of maps that patches are merged into. */
function checkPairs(path: string, pairs: Readonly<Record<string, string>> = {}, pairsMax: number): void {
  if (Object.keys(pairs).length > pairsMax) throw invalidField(path, `must NOT have more than ${pairsMax} pairs`);
}
