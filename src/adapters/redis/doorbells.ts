// Who waits for news of which session: one sharded channel for each session that is watched, over one connection (one for
// each shard of a cluster), however many viewers there are.

import { Cluster, type Redis } from 'ioredis';
import { ChatError } from '../../chat/errors.ts';
import type { News, Watch } from '../../chat/session-store.ts';

export interface DoorbellRules {
  /** How long a subscription may take. */
  readonly timeoutMs: number;
  readonly onError: (error: Error) => void;
}

interface Bell {
  readonly rings: Set<(news: News) => void>;
  readonly subscribed: Promise<unknown>;
}

/** A cluster finds its nodes while the first ones ask already. */
const RETRY_MS = 50;

export class Doorbells {
  readonly #connect: () => Redis | Cluster;
  readonly #rules: DoorbellRules;
  readonly #bells = new Map<string, Bell>();
  readonly #listened = new Set<string>();
  #client: Redis | Cluster | undefined;
  #isClosed = false;

  /** Connects when the first one watches. */
  constructor(connect: () => Redis | Cluster, rules: DoorbellRules) {
    this.#connect = connect;
    this.#rules = rules;
  }

  /** Fails with `store_unavailable`. */
  async watch(channel: string, ring: (news: News) => void): Promise<Watch> {
    const bell = this.#bells.get(channel) ?? this.#open(channel);
    // Its own function, so that the same listener can watch twice.
    const own = (news: News) => ring(news);
    bell.rings.add(own);
    const close = () => {
      if (bell.rings.delete(own) && bell.rings.size === 0) this.#forget(channel, bell);
    };
    try {
      await bell.subscribed;
    } catch (cause) {
      close();
      throw new ChatError('store_unavailable', 'The store of sessions cannot be reached.', { cause });
    }
    return { close };
  }

  /**
   * Messages of one channel for as long as this lives; nobody waits for the subscription. A sharded channel as well: the
   * end of the last sharded one ends the client's subscriber mode, whatever else it is subscribed to (ioredis 6.0).
   */
  listen(channel: string, hear: (message: string) => void): void {
    this.#connected().on('smessage', (from: string, message: string) => {
      if (from === channel) hear(message);
    });
    this.#listened.add(channel);
    this.#tryToSubscribe(channel, Number.POSITIVE_INFINITY).catch(this.#rules.onError);
  }

  close(): void {
    this.#isClosed = true;
    this.#bells.clear();
    if (!(this.#client instanceof Cluster)) this.#client?.disconnect(false);
  }

  #open(channel: string): Bell {
    const bell = { rings: new Set<(news: News) => void>(), subscribed: this.#subscribe(channel) };
    this.#bells.set(channel, bell);
    return bell;
  }

  #forget(channel: string, bell: Bell): void {
    if (this.#bells.get(channel) !== bell) return;
    this.#bells.delete(channel);
    void bell.subscribed.then(() => this.#leave(channel)).catch(() => undefined);
  }

  async #leave(channel: string): Promise<void> {
    if (!this.#bells.has(channel) && !this.#isClosed) await this.#client?.sunsubscribe(channel);
  }

  async #subscribe(channel: string): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('no subscription in time')), this.#rules.timeoutMs);
    const attempt = this.#tryToSubscribe(channel, performance.now() + this.#rules.timeoutMs);
    // ioredis takes it up again when Redis has come back; nobody waits for it then, and it would stay for ever.
    attempt.then(() => this.#leave(channel)).catch(() => undefined);
    try {
      await Promise.race([attempt, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #tryToSubscribe(channel: string, deadline: number): Promise<void> {
    for (;;) {
      try {
        await this.#connected().ssubscribe(channel);
        return;
      } catch (error) {
        if (this.#isClosed || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #connected(): Redis | Cluster {
    if (this.#client) return this.#client;
    const client = this.#connect();
    this.#client = client;
    client.on('smessage', (channel: string, news: string) => this.#ring(channel, news === 'frames' ? news : 'step'));
    if (client instanceof Cluster) {
      // What rang while there was no connection was not heard.
      for (const event of ['ready', '+node', '-node']) client.on(event, () => this.#ringAll());
    } else {
      client.on('ready', () => this.#subscribeAgain(client));
      client.on('error', this.#rules.onError);
    }
    return client;
  }

  /**
   * ioredis could do it by itself, but a refusal would be an unhandled rejection, which ends the process; and it would not
   * say when everything is heard again: what rang before was not.
   */
  #subscribeAgain(client: Redis): void {
    for (const channel of [...this.#listened, ...this.#bells.keys()]) {
      client.ssubscribe(channel).then(() => this.#ring(channel, 'step'), this.#rules.onError);
    }
  }

  #ring(channel: string, news: News): void {
    for (const ring of [...(this.#bells.get(channel)?.rings ?? [])]) ring(news);
  }

  #ringAll(): void {
    for (const channel of this.#bells.keys()) this.#ring(channel, 'step');
  }
}
