// What a browser's EventSource does, and no more: it reads, it comes back with the id of the last event that it has seen
// whole, and it stays away after a 204 or an error. The test cuts its connection whenever it likes.

import { type ClientRequest, request } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { testIdentity } from './test-identity.ts';
import { until } from './until.ts';

export interface SeenEvent {
  readonly id: string;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into events of every shape.
  readonly data: any;
}

export interface Reconnecting {
  /** Where the next connection goes; a load balancer may send each one elsewhere. */
  readonly urlOf: (connection: number) => string;
  /** After so many events of one connection it is cut by the client's side. */
  readonly cutAfter?: number;
  /** How long it waits before it comes back. */
  readonly retryMs?: number;
}

export class ReconnectingClient {
  readonly events: SeenEvent[] = [];
  readonly statuses: number[] = [];
  /** The answer that it did not come back after. */
  ending: number | undefined;
  connections = 0;
  readonly #options: Reconnecting;
  #lastEventId = '';
  #call: ClientRequest | undefined;
  #isClosed = false;

  constructor(options: Reconnecting) {
    this.#options = options;
    this.#connect();
  }

  /** The visible text that a page would show. */
  get text(): string {
    const deltas = this.events.filter(({ type }) => type === 'candidate.delta');
    return deltas.map(({ data }) => data.text).join('');
  }

  async done(deadlineMs = 20_000): Promise<this> {
    await until('it stays away', () => this.ending, { deadlineMs });
    return this;
  }

  cut(): void {
    this.#call?.destroy();
  }

  close(): void {
    this.#isClosed = true;
    this.#call?.destroy();
  }

  #connect(): void {
    if (this.#isClosed) return;
    const { urlOf, cutAfter = Number.POSITIVE_INFINITY } = this.#options;
    const headers = { accept: 'text/event-stream', 'cache-control': 'no-store', ...testIdentity({}) };
    const call = request(urlOf(this.connections), {
      agent: false,
      headers: { ...headers, ...(this.#lastEventId === '' ? {} : { 'last-event-id': this.#lastEventId }) },
    });
    this.connections += 1;
    this.#call = call;
    let seenHere = 0;
    let isStream = false;
    call.on('response', (response) => {
      this.statuses.push(response.statusCode ?? 0);
      isStream = response.statusCode === 200;
      if (!isStream) this.ending = response.statusCode;
      const parser = createParser({
        onEvent: (event) => {
          if (seenHere >= cutAfter) return;
          seenHere += 1;
          this.#see(event);
          if (seenHere >= cutAfter) call.destroy();
        },
      });
      response.setEncoding('utf8').on('data', (text: string) => isStream && parser.feed(text));
      response.on('error', () => undefined);
    });
    call.on('error', () => undefined);
    call.on('close', () => {
      if (this.ending === undefined) setTimeout(() => this.#connect(), this.#options.retryMs ?? 5);
    });
    call.end();
  }

  #see({ id = '', event = 'message', data }: EventSourceMessage): void {
    this.#lastEventId = id;
    this.events.push({ id, type: event, data: JSON.parse(data) });
  }
}
