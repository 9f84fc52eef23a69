// The requests about the turns of one session: sending, following, reading, waiting for the end.

import type { Turn } from '../chat/turn.ts';
import { awaitTurn } from './await-turn.ts';
import type { EventBody } from './reconnection.ts';
import type { Send } from './send-body.ts';
import { type Call, idInPath, type Service, wrongKind } from './service.ts';

export interface TurnRequestRules {
  readonly service: Service;
  readonly sessionId: string;
  /** How long the end of a turn is waited for. */
  readonly recoverMs: number;
}

/** A message that is on its way to become this turn. */
export interface Sending extends Send {
  readonly turnId: string;
}

const EVENTS = 'text/event-stream';

export class TurnRequests {
  readonly #rules: TurnRequestRules;
  readonly #path: string;

  constructor(rules: TurnRequestRules) {
    this.#rules = rules;
    this.#path = `/v1/sessions/${idInPath(rules.sessionId)}`;
  }

  /** The turn, finished; a failed one is an error. */
  send(message: Sending, signal: AbortSignal | undefined): Promise<Turn> {
    const call = this.#call('POST', '/messages', sent(message, { signal }));
    return this.#rules.service.ask(call);
  }

  /** The events of the turn that the message becomes. */
  async sendForEvents(message: Sending, signal: AbortSignal): Promise<EventBody> {
    const call = this.#call('POST', '/messages/stream', sent(message, { signal, accept: EVENTS }));
    return eventsIn(call, await this.#rules.service.open(call));
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

function sent({ body, headers, turnId }: Sending, { signal, accept }: HowSent): Omit<Call, 'method' | 'path'> {
  const wanted = accept === undefined ? {} : { accept };
  return { body, turnId, signal, headers: { ...headers, ...wanted } };
}
