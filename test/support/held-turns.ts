// Turns on two replicas over one Redis, whose model says its first word at once and the others when it may.

import type { Client, EventStream } from './client.ts';
import { RawEvents, type RawOptions } from './raw-events.ts';
import { type Replicas, startReplicas } from './replicas.ts';
import { answer, asStream, event, said, type UpstreamCall } from './upstream.ts';

export const WORDS = ['Wörter ', 'mit ', '😀 ', 'und\n', '\u2028', ' Ende'];

export interface Finished {
  readonly path: string;
  readonly frames: readonly string[];
  readonly ids: readonly string[];
}

export interface Held {
  readonly path: string;
  readonly stream: EventStream;
  readonly release: () => void;
}

export interface HeldTurns extends AsyncDisposable {
  readonly replicas: Replicas;
  readonly both: readonly [Client, Client];
  /** A new session whose turn `it` has run. */
  finished(): Promise<Finished>;
  /** A new session whose turn `it` has said its first word. */
  held(name: string): Promise<Held>;
}

/** The events of the turn `it`. */
export function watch(client: Client, path: string, options: RawOptions = {}): RawEvents {
  return new RawEvents(`${client.url}${path}/turns/it/events`, options);
}

export function resume(client: Client, path: string, id: string): RawEvents {
  return watch(client, path, { headers: { 'last-event-id': id } });
}

/** `[held:name]` of the newest question. */
function nameIn({ body }: UpstreamCall): string | undefined {
  return /\[held:(\w+)\](?![\s\S]*\[held:)/.exec(body)?.[1];
}

/** `[silent]`: the model says nothing. `[big]`: it says 12 MB. */
export async function startTurns(env: Readonly<Record<string, string>> = {}): Promise<HeldTurns> {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gateOf = (name: string) => {
    const gate = gates.get(name) ?? Promise.withResolvers<void>();
    gates.set(name, gate);
    return gate;
  };
  const replicas = await startReplicas(
    async (response, call) => {
      if (call.body.includes('[silent]')) return;
      if (!call.isStream) return answer(response, call, 'at once');
      if (call.body.includes('[big]')) return void asStream(response).end(event(said('x'.repeat(12_000_000), 'STOP')));
      asStream(response).write(event(said(WORDS[0] ?? '')));
      const name = nameIn(call);
      if (name !== undefined) await gateOf(name).promise;
      response.write(
        WORDS.slice(1)
          .map((word) => event(said(word)))
          .join(''),
      );
      response.end(event(said('', 'STOP')));
    },
    // The reader is in this process, too: what keeps it from reading must be shorter than that.
    { env: { CLIENT_STALL_TIMEOUT_MS: '1500', HEARTBEAT_MS: '300', STREAM_HEADERS_DELAY_MS: '50', ...env } },
  );
  const { here, there } = replicas;
  return {
    replicas,
    both: [here, there],
    async finished() {
      const path = await here.session();
      await here.stream(path, { message: 'hello', turnId: 'it' }).done();
      const { frames, ids } = await watch(here, path).done();
      return { path, frames, ids };
    },
    async held(name) {
      const path = await here.session();
      const stream = here.stream(path, { message: `[held:${name}]`, turnId: 'it' });
      await stream.until('the first word', () => stream.answer() !== '');
      return { path, stream, release: () => gateOf(name).resolve() };
    },
    [Symbol.asyncDispose]: () => replicas[Symbol.asyncDispose](),
  };
}
