// The sessions of an owner: made, listed, opened.

import { broughtMessages, checkBrought } from './brought-messages.ts';
import { type ChatDependencies, IDEMPOTENCY_TTL_MS, sessionsMaxOf } from './chat-dependencies.ts';
import { ChatSession } from './chat-session.ts';
import type { Idempotency } from './claim.ts';
import { openCalls } from './content.ts';
import { settledWindow } from './context-window.ts';
import { bytesIn } from './encoded.ts';
import { ChatError, invalidField } from './errors.ts';
import { checkNaming } from './permissions.ts';
import { presentSession } from './present-session.ts';
import { encodeLimitedConfig, encodeMessage } from './records.ts';
import { definedOnly, type NewSession, type Page, type Session, type SessionConfig } from './session.ts';
import { checkDefaults } from './settings.ts';
import { type MonthUsage, monthOf } from './usage-sums.ts';

export interface ChatSessionsOptions {
  /** For sessions that name no model. */
  readonly defaultModel?: string;
}

export class ChatSessions {
  readonly #deps: ChatDependencies;
  readonly #options: ChatSessionsOptions;

  constructor(deps: ChatDependencies, options: ChatSessionsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** No call to the store: whether the session exists is found out by using it. */
  open(owner: string, sessionId: string): ChatSession {
    return new ChatSession({ owner, sessionId }, this.#deps);
  }

  /**
   * With an idempotency key: the session that the same call has made before, as it is now. Fails with `session_exists`,
   * `invalid_argument`, `forbidden`, `payload_too_large`, `history_full`, `idempotency_mismatch`, `rate_limited`.
   */
  async create(owner: string, given: NewSession, idempotency?: Idempotency): Promise<Session> {
    const { id, ttl, messageHistory, contextWindow, ...fields } = definedOnly(given);
    const model = fields.model ?? this.#options.defaultModel;
    if (model === undefined) throw invalidField('/model', 'is required: this service has no default model');
    const window = contextWindow ? { contextWindow: settledWindow(contextWindow) } : {};
    const config: SessionConfig = { ...fields, model, ...window };
    checkDefaults(config);
    const { chatLimits, known, newId, permissions, store } = this.#deps;
    checkNaming(config, owner, permissions);
    const contents = messageHistory ?? [];
    checkBrought({ contents, path: '/messageHistory' }, this.#deps);
    const messages = broughtMessages(contents, model, this.#deps);
    const encoded = messages.map(encodeMessage);
    const bytes = encoded.reduce((sum, message) => sum + bytesIn(message), 0);
    if (encoded.length > chatLimits.historyMessagesMax || bytes > chatLimits.historyBytesMax) {
      throw new ChatError('history_full', `A history holds at most ${chatLimits.historyMessagesMax} messages.`);
    }
    const key = { owner, sessionId: id ?? newId() };
    const stored = await store.create(key, {
      config: encodeLimitedConfig(config, chatLimits.configBytesMax),
      ttlS: ttl ?? chatLimits.sessionTtlS,
      messages: encoded,
      openCalls: openCalls(messages.at(-1)),
      attempt: newId(),
      ...sessionsMaxOf(chatLimits),
      ...(idempotency ? { idempotency: { ...idempotency, ttlMs: IDEMPOTENCY_TTL_MS } } : {}),
    });
    // Its first turn is about to come. Under an idempotency key it may be one that was made before, with other ids.
    if (!idempotency && stored.version === 1) {
      const weight = bytesIn(stored.config) + bytes;
      known.keepNew(key, { epoch: stored.epoch, version: stored.version, config, history: messages, bytes: weight });
    }
    return presentSession(stored, this.#deps.clock.now());
  }

  /** Newest activity first. Fails with `invalid_page_token`. */
  async list(owner: string, pageSize: number, pageToken?: string): Promise<Page<Session>> {
    const page = await this.#deps.store.list(owner, pageSize, pageToken);
    const nowMs = this.#deps.clock.now();
    return { ...page, items: page.items.map((stored) => presentSession(stored, nowMs)) };
  }

  /** What all turns of the owner have used that began in a month (UTC), the current one when none is given. */
  async usage(owner: string, month = monthOf(this.#deps.clock.now())): Promise<MonthUsage> {
    return { month, ...(await this.#deps.store.ownerUsage(owner, month)) };
  }
}
