// `ChatSession` of the seed over the service's REST and Server-Sent Events: the history is the server's.

import type { TokenCount } from '../chat/language-model.ts';
import type { Turn } from '../chat/turn.ts';
import type {
  CancelOptions,
  IfMatch,
  Question,
  SendOptions,
  SessionPatch,
  StreamOptions,
  Waiting,
} from './chat-options.ts';
import { ChatProxyError } from './chat-proxy-error.ts';
import { type HistoryOptions, MessageHistory, type MessagePage } from './message-history.ts';
import type { Session } from './responses.ts';
import { contentOf, ifMatchHeader, newId, sendOf } from './send-body.ts';
import { type Call, idInPath, type Service } from './service.ts';
import type { SessionCreation } from './session-creation.ts';
import { streamSource } from './stream-source.ts';
import { unlessFailed } from './turn-pieces.ts';
import { sending, TurnRequests } from './turn-requests.ts';
import { TurnStream } from './turn-stream.ts';
import { orAborted } from './waiting.ts';

export interface SessionAddress {
  readonly service: Service;
  readonly sessionId: string;
  readonly creation: SessionCreation;
  readonly limits: SessionLimits;
}

export interface SessionLimits {
  /** How long a broken stream may be without a connection, and how long the end of a turn is waited for without one. */
  readonly recoverMs: number;
  /** A stream that says nothing for so long, not even a heartbeat, is taken for broken. */
  readonly streamIdleMs: number;
}

/** The service acts on a connection's end within a second; then nobody has to wait any longer. */
const ABANDONED_MS = 5000;

/**
 * One conversation. Made with `model.startChat()` or `model.openChat(id)`. Its session is created on the server at
 * first use, unless it exists. Every method fails with `ChatProxyError`, or with the reason of its signal.
 */
export class ChatSession {
  readonly sessionId: string;
  readonly #service: Service;
  readonly #creation: SessionCreation;
  readonly #path: string;
  readonly #limits: SessionLimits;
  readonly #turns: TurnRequests;
  /** The turn of a stream that was left: its end is waited for before the next request that it would disturb. */
  #abandoned: { readonly turnId: string; readonly asked: Promise<unknown> } | undefined;

  constructor({ service, sessionId, creation, limits }: SessionAddress) {
    this.sessionId = sessionId;
    this.#service = service;
    this.#creation = creation;
    this.#path = `/v1/sessions/${idInPath(sessionId)}`;
    this.#limits = limits;
    this.#turns = new TurnRequests({ service, sessionId, recoverMs: limits.recoverMs });
  }

  /**
   * Sends the message and answers with the finished turn: its text, its candidates, its state. A blocked turn is an
   * answer (`isBlocked`), a failed one is an error with its `turnId`. Aborting the signal ends the wait, not the turn. When
   * no answer comes it is sent again, and becomes one turn all the same.
   * Codes: `turn_in_progress`, `turn_exists`, `version_mismatch`, `history_full`, `budget_exhausted`, and those of the
   * model.
   */
  async sendMessage(message: Question, options: SendOptions = {}): Promise<Turn> {
    const { signal, ...rest } = options;
    const turnId = options.turnId ?? newId();
    await this.#settled(signal);
    const turn = await this.#turns.send(sending(sendOf(message, { ...rest, turnId }), turnId), signal);
    return unlessFailed(turn, { sessionId: this.sessionId, turnId });
  }

  /**
   * Sends the message and answers with a stream to loop over. Nothing is sent before the first `next()`. The history
   * grows once the answer is complete. Leaving the loop or aborting the signal ends the connection, and the turn with
   * it unless `onDisconnect` is `continue`: then nothing of it is in the history, except when the service had finished
   * it already. A stream that breaks is gone on with where it broke. The loop throws what `sendMessage` throws.
   */
  sendMessageStreaming(message: Question, options: StreamOptions = {}): TurnStream {
    const { signal, onDisconnect = 'cancel', ...rest } = options;
    const turnId = options.turnId ?? newId();
    const source = streamSource(
      {
        sessionId: this.sessionId,
        message: sending(sendOf(message, { ...rest, turnId, onDisconnect }), turnId),
        onDisconnect,
        idleMs: this.#limits.streamIdleMs,
        recoverMs: this.#limits.recoverMs,
        ready: (wait) => this.#settled(wait),
        abandon: (id, hasToBeAsked) => this.#abandon(id, hasToBeAsked),
      },
      this.#turns,
    );
    return new TurnStream(source, signal);
  }

  /** The messages that are in the history: a list to loop over, or `toArray()`. Read anew by every loop. */
  messageHistory({ order, pageSize, signal }: HistoryOptions = {}): MessageHistory {
    return new MessageHistory(async (pageToken) => {
      await this.#settled(signal);
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ order, pageSize, pageToken })) {
        if (value !== undefined) query.set(name, String(value));
      }
      return this.#ask<MessagePage>('GET', `/messages?${query}`, { signal });
    });
  }

  /** What the next request would cost with this message, or what the history costs without one. Changes nothing. */
  async countTokens(message?: Question, { signal }: Waiting = {}): Promise<TokenCount> {
    await this.#settled(signal);
    const body = message === undefined ? {} : contentOf(message);
    return this.#ask('POST', '/count-tokens', { body, signal });
  }

  /** The session as the server has it. */
  async session({ signal }: Waiting = {}): Promise<Session> {
    await this.#creation.ready(signal);
    return this.#ask('GET', '', { signal });
  }

  /** A turn of this session, in the history or not, running or over. Fails with `turn_not_found`. */
  async turn(turnId: string, { signal }: Waiting = {}): Promise<Turn> {
    await this.#creation.ready(signal);
    return this.#turns.read(turnId, signal);
  }

  /**
   * Ends a running or waiting turn, whoever sent it, and answers with it once it has ended, by this or otherwise. With
   * `keep: 'partial'` its question and what was said so far are in the history then. Fails with `turn_not_found`.
   */
  async cancelTurn(turnId: string, options: CancelOptions = {}): Promise<Turn> {
    await this.#creation.ready(options.signal);
    return this.#turns.cancel(turnId, options);
  }

  /** Changes the session's configuration: a JSON merge patch. Answers with the session. Fails with `version_mismatch`. */
  async update(patch: SessionPatch, { ifMatch, signal }: Waiting & IfMatch = {}): Promise<Session> {
    await this.#creation.ready(signal);
    const headers = { 'content-type': 'application/merge-patch+json', ...ifMatchHeader(ifMatch) };
    return this.#ask('PATCH', '', { body: patch, headers, signal });
  }

  /**
   * Deletes the session with its history; a running turn is cancelled. Everything afterwards is `session_not_found`. A
   * chat that was never used has nothing to delete, and nothing is sent.
   */
  async delete({ signal }: Waiting = {}): Promise<void> {
    // A creation that is under way must not come after the deletion.
    const exists = await this.#creation.exists(signal);
    if (exists === 'no') return;
    try {
      const response = await this.#service.open(this.#call('DELETE', '', { signal }));
      await response.body?.cancel();
    } catch (error) {
      const isGone = error instanceof ChatProxyError && error.code === 'session_not_found';
      if (exists === 'yes' || !isGone) throw error;
    }
  }

  #abandon(turnId: string, hasToBeAsked: boolean): void {
    // Whether it was heard is seen when the turn is looked at.
    const ask = () => this.#turns.cancel(turnId, { signal: AbortSignal.timeout(ABANDONED_MS) }).catch(() => undefined);
    this.#abandoned = { turnId, asked: hasToBeAsked ? ask() : Promise.resolve() };
  }

  /** The session exists, and what was left of a turn that nobody reads any more has ended. */
  async #settled(signal: AbortSignal | undefined): Promise<void> {
    await this.#creation.ready(signal);
    const abandoned = this.#abandoned;
    if (!abandoned) return;
    await orAborted(abandoned.asked, signal);
    // An error here says nothing about the request that comes next; if it matters, that one will meet it, too.
    await this.#turns.ended(abandoned.turnId, signal, ABANDONED_MS).catch(() => signal?.throwIfAborted());
    if (this.#abandoned === abandoned) this.#abandoned = undefined;
  }

  #ask<T>(method: Call['method'], path: string, given: Given): Promise<T> {
    return this.#service.ask(this.#call(method, path, given));
  }

  #call(method: Call['method'], path: string, given: Given): Call {
    return { ...given, method, path: `${this.#path}${path}`, sessionId: this.sessionId };
  }
}

type Given = Omit<Call, 'method' | 'path' | 'sessionId'>;
