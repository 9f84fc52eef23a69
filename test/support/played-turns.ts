// Two replicas, and sessions whose model does what the test has written down for its next request; otherwise it says how often
// it was asked.

import type { Client, EventStream } from './client.ts';
import { type Replicas, startReplicas } from './replicas.ts';
import { answer, asJson, asStream, event, type Script, said, type UpstreamCall } from './upstream.ts';

export interface PlayedSession {
  readonly path: string;
  /** What the model does at its next requests, in this order. */
  plays(...scripts: readonly Script[]): void;
  readonly calls: readonly UpstreamCall[];
  /** The contents of the newest request. */
  readonly asked: readonly { readonly role: string; readonly parts: readonly object[] }[];
}

export interface PlayedTurns extends AsyncDisposable {
  readonly replicas: Replicas;
  readonly here: Client;
  readonly there: Client;
  /** A new session. Its model is one of its own, and begins with `model`. */
  session(given?: object, model?: string): Promise<PlayedSession>;
}

export async function startPlayed(env: Readonly<Record<string, string>> = {}): Promise<PlayedTurns> {
  const scripts = new Map<string, Script[]>();
  const asked = new Map<string, UpstreamCall[]>();
  const replicas = await startReplicas(
    (response, call) => {
      const calls = asked.get(call.model) ?? [];
      asked.set(call.model, [...calls, call]);
      const script = scripts.get(call.model)?.shift();
      return script ? script(response, call) : answer(response, call, `answer ${calls.length + 1}`);
    },
    { env: { STREAM_HEADERS_DELAY_MS: '50', UPSTREAM_RETRIES_MAX: '0', ...env } },
  );
  let sessions = 0;
  return {
    replicas,
    here: replicas.here,
    there: replicas.there,
    async session(given = {}, model = 'm') {
      sessions += 1;
      const own = `${model}-${sessions}`;
      const path = await replicas.here.session({ ...given, model: own });
      return {
        path,
        plays: (...next) => void scripts.set(own, [...next]),
        get calls() {
          return asked.get(own) ?? [];
        },
        get asked() {
          return JSON.parse(asked.get(own)?.at(-1)?.body ?? '{}').contents;
        },
      };
    },
    [Symbol.asyncDispose]: () => replicas[Symbol.asyncDispose](),
  };
}

/** Says half of an answer, and the other half when it may. */
export function held(): { readonly script: Script; readonly release: () => void; readonly aborted: Promise<void> } {
  const gate = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  const script: Script = async (response, call) => {
    void call.aborted.then(aborted.resolve);
    if (call.isStream) asStream(response).write(event(said('half ')));
    await gate.promise;
    if (call.isStream) response.end(event(said('and half', 'STOP')));
    else answer(response, call, 'half and half');
  };
  return { script, release: gate.resolve, aborted: aborted.promise };
}

/** How an answer can go wrong, on either way of asking. */
export const FAILURES: Readonly<Record<'FAILED' | 'BLOCKED' | 'cut', Script>> = {
  FAILED: (response) => asJson(response, 400, { error: { code: 400, message: 'Never.', status: 'INVALID_ARGUMENT' } }),
  BLOCKED: (response, call) => {
    const blocked = { promptFeedback: { blockReason: 'SAFETY' } };
    return call.isStream ? asStream(response).end(event(blocked)) : asJson(response, 200, blocked);
  },
  cut: (response, call) => {
    if (call.isStream) asStream(response).write(event(said('some words ')));
    else response.writeHead(200, { 'content-type': 'application/json' }).write('{"cand');
    response.destroy();
  },
};

/** Parts of one answer, as one document or one chunk. */
export function saysParts(...candidates: readonly (readonly object[])[]): Script {
  const body = {
    candidates: candidates.map((parts, index) => ({ index, content: { role: 'model', parts }, finishReason: 'STOP' })),
  };
  return (response, call) => (call.isStream ? asStream(response).end(event(body)) : asJson(response, 200, body));
}

/** Everything of the messages of a session, as text: to be compared byte for byte. */
export async function historyText(client: Client, path: string): Promise<string> {
  return (await client.get(`${path}/messages?pageSize=200`)).text;
}

export async function begunStream(stream: EventStream): Promise<EventStream> {
  await stream.until('the first word', () => stream.answer() !== '');
  return stream;
}
