// `ChatModel` of the seed: which model, and where the service is.

import type { StartChatOptions } from './chat-options.ts';
import { ChatSession, type SessionLimits } from './chat-session.ts';
import { newId } from './send-body.ts';
import { connect, type Service, type ServiceOptions } from './service.ts';
import { createOnce, existingSession, type SessionCreation } from './session-creation.ts';

export interface ChatModelOptions extends ServiceOptions {
  /**
   * How long a stream that broke may be without a connection, from one event to the next, and how long the end of a turn
   * is waited for that cannot be streamed; 120,000 unless it is said.
   */
  readonly recoverMs?: number | undefined;
  /** A stream that says nothing for so long, not even a heartbeat, is taken for broken; 45,000 unless it is said. */
  readonly streamIdleMs?: number | undefined;
}

/** Longer than the service needs to find out that one of its processes has died. */
const RECOVER_MS = 120_000;
/** Three of the heartbeats that the service owes. */
const STREAM_IDLE_MS = 45_000;

export class ChatModel {
  /** A model id, `publishers/…/models/…` or `projects/…/endpoints/…`. */
  readonly modelId: string;
  readonly #service: Service;
  readonly #limits: SessionLimits;

  private constructor(modelId: string, options: ChatModelOptions) {
    const { recoverMs = RECOVER_MS, streamIdleMs = STREAM_IDLE_MS, ...service } = options;
    this.modelId = modelId;
    this.#service = connect(service);
    this.#limits = { recoverMs, streamIdleMs };
  }

  /** Sends nothing: whether the service may use the model is seen at the first message. */
  static fromPretrained(modelId: string, options: ChatModelOptions): ChatModel {
    return new ChatModel(modelId, options);
  }

  /**
   * A new conversation. Sends nothing: the session is created at first use, under an id that is chosen now, so that a
   * creation whose answer was lost can be tried again. With an `id` of your own that is taken, the first use fails with
   * `session_exists`.
   */
  startChat(options: StartChatOptions = {}): ChatSession {
    const sessionId = options.id ?? newId();
    const body = { ...options, id: sessionId, model: this.modelId };
    const create = () => this.#service.ask({ method: 'POST', path: '/v1/sessions', body, sessionId });
    return this.#chat(sessionId, createOnce(create, options.id === undefined));
  }

  /**
   * A conversation that is on the server already, with its own model and settings. Sends nothing; when there is no such
   * session, the first use fails with `session_not_found`.
   */
  openChat(sessionId: string): ChatSession {
    return this.#chat(sessionId, existingSession());
  }

  #chat(sessionId: string, creation: SessionCreation): ChatSession {
    return new ChatSession({ service: this.#service, sessionId, creation, limits: this.#limits });
  }
}
