// An EventSource as browsers have it (that of undici, which Node has behind a flag), and all that it was told.

import { EventSource, MessageEvent } from 'undici';
import type { SeenEvent } from './reconnecting-client.ts';
import { until } from './until.ts';

const TYPES = ['turn.queued', 'turn.started', 'candidate.delta', 'candidate.finished'];
const TERMINAL = ['turn.committed', 'turn.blocked', 'turn.failed', 'turn.cancelled'];

export class PageEvents {
  readonly events: SeenEvent[] = [];
  /** How often it was connected. */
  opened = 0;
  readonly #source: EventSource;

  constructor(url: string) {
    this.#source = new EventSource(url, { node: { reconnectionTime: 50 } });
    this.#source.addEventListener('open', () => {
      this.opened += 1;
    });
    for (const type of [...TYPES, ...TERMINAL]) {
      this.#source.addEventListener(type, (event) => {
        if (!(event instanceof MessageEvent)) throw new Error(`${type} without data`);
        this.events.push({ id: event.lastEventId, type, data: JSON.parse(event.data) });
      });
    }
  }

  get text(): string {
    return this.events.map(({ type, data }) => (type === 'candidate.delta' ? data.text : '')).join('');
  }

  get terminal(): SeenEvent | undefined {
    return this.events.find(({ type }) => TERMINAL.includes(type));
  }

  /** It comes back by itself after every cut; it gives up for ever after an answer that is no stream, such as a 503 or a 204. */
  get hasGivenUp(): boolean {
    return this.#source.readyState === EventSource.CLOSED;
  }

  async done(deadlineMs = 15_000): Promise<this> {
    await until('it has given up', () => this.hasGivenUp, { deadlineMs });
    return this;
  }

  close(): void {
    this.#source.close();
  }
}
