// The requests about the turns of one session: sending, following, reading, cancelling, waiting for the end.

import type { Turn } from '../chat/turn.ts';
import { awaitTurn, hasEnded } from './await-turn.ts';
import type { CancelOptions } from './chat-options.ts';
import type { EventBody } from './reconnection.ts';
import { type Resending, untilHeard } from './send-again.ts';
import { newId, type Send } from './send-body.ts';
import { type Call, idInPath, type Service, wrongKind } from './service.ts';

export interface TurnRequestRules {
  readonly service: Service;
  readonly sessionId: string;
  /** How long the end of a turn is waited for. */
  readonly recoverMs: number;
}

/** A message that is on its way to become this turn, however often it has to be sent. */
export interface Sending extends Send {
  readonly turnId: string;
  /** The service makes one turn of everything that it gets under this key, also when an earlier one comes last. */
  readonly key: string;
}

/** The key is new with every send: who chooses a turn id twice is told so (`turn_exists`), as always. */
export function sending(send: Send, turnId: string): Sending {
  return { ...send, turnId, key: newId() };
}

const EVENTS = 'text/event-stream';

export class TurnRequests {
  readonly #rules: TurnRequestRules;
  readonly #path: string;

  constructor(rules: TurnRequestRules) {
    this.#rules = rules;
    this.#path = `/v1/sessions/${idInPath(rules.sessionId)}`;
  }

  /** The turn, finished; a failed one is an error. Sent again while nothing is answered. */
  send(message: Sending, signal: AbortSignal | undefined): Promise<Turn> {
    const call = this.#call('POST', '/messages', sent(message, { signal }));
    return untilHeard(() => this.#rules.service.ask(call), { signal });
  }

  /** The events of the turn that the message becomes. Sent again while nothing is answered. */
  sendForEvents(message: Sending, { signal, onUnheard }: Resending): Promise<EventBody> {
    const call = this.#call('POST', '/messages/stream', sent(message, { signal, accept: EVENTS }));
    const open = async () => eventsIn(call, await this.#rules.service.open(call));
    return untilHeard(open, { signal, ...(onUnheard ? { onUnheard } : {}) });
  }

  /** The events after this one; `undefined` when the turn is over, and nothing comes. Fails with `log_expired`. */
  async follow(turnId: string, lastEventId: string | undefined, signal: AbortSignal): Promise<EventBody | undefined> {
    const cursor = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const headers = { accept: EVENTS, ...cursor };
    const call = this.#call('GET', `/turns/${idInPath(turnId)}/events`, { turnId, headers, signal });
    const response = await this.#rules.service.open(call);
    return response.status === 204 ? undefined : eventsIn(call, response);
  }

  read(turnId: string, signal: AbortSignal | undefined): Promise<Turn> {
    return this.#rules.service.ask(this.#call('GET', `/turns/${idInPath(turnId)}`, { turnId, signal }));
  }

  /** The turn once it is over. */
  ended(turnId: string, signal: AbortSignal | undefined, forMs = this.#rules.recoverMs): Promise<Turn> {
    const address = { sessionId: this.#rules.sessionId, turnId };
    return awaitTurn((limit) => this.read(turnId, limit), { forMs, address, signal });
  }

  /** The turn once it is over, by this or otherwise. */
  async cancel(turnId: string, { keep, signal }: CancelOptions): Promise<Turn> {
    const body = keep === undefined ? {} : { keep };
    const call = this.#call('POST', `/turns/${idInPath(turnId)}/cancel`, { turnId, body, signal });
    const turn = await untilHeard(() => this.#rules.service.ask<Turn>(call), { signal });
    return hasEnded(turn) ? turn : this.ended(turnId, signal);
  }

  #call(method: Call['method'], path: string, given: Omit<Call, 'method' | 'path' | 'sessionId'>): Call {
    return { ...given, method, path: `${this.#path}${path}`, sessionId: this.#rules.sessionId };
  }
}

async function eventsIn(call: Call, response: Response): Promise<EventBody> {
  const isStream = response.headers.get('content-type')?.startsWith(EVENTS);
  if (!response.body || !isStream) throw await wrongKind(call, response);
  return response.body;
}

interface HowSent {
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string;
}

function sent({ body, headers, turnId, key }: Sending, { signal, accept }: HowSent): Omit<Call, 'method' | 'path'> {
  const wanted = accept === undefined ? {} : { accept };
  return { body, turnId, signal, headers: { ...headers, ...wanted, 'idempotency-key': key } };
}
