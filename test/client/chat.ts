// The client against a service of this process, seen by a proxy on the way.

import { ChatModel, type ChatModelOptions } from '../../src/client/chat-model.ts';
import type { ChatSession } from '../../src/client/chat-session.ts';
import type { TextGenerationResponse } from '../../src/client/responses.ts';
import { type HttpProxy, type HttpProxyRules, startHttpProxy } from '../support/http-proxy.ts';
import { startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { type Script, startUpstream, type Upstream } from '../support/upstream.ts';

export interface ClientScene extends AsyncDisposable {
  readonly model: ChatModel;
  readonly proxy: HttpProxy;
}

type SceneOptions = HttpProxyRules & { readonly options?: Partial<ChatModelOptions> };

/** Behind it the emulator answers. */
export async function startClient({ options, ...rules }: SceneOptions = {}): Promise<ClientScene> {
  const scene = await startScene();
  return clientOf(scene.service.url, [scene], rules, options);
}

/** Behind it the script answers. */
export async function startScriptedClient(
  script: Script,
  { options, ...rules }: SceneOptions = {},
): Promise<ClientScene & { readonly upstream: Upstream }> {
  const upstream = await startUpstream(script);
  const service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DEFAULT_MODEL: 'm' });
  return { ...(await clientOf(service.url, [service, upstream], rules, options)), upstream };
}

async function clientOf(
  target: string,
  behind: readonly AsyncDisposable[],
  rules: HttpProxyRules,
  options: Partial<ChatModelOptions> = {},
): Promise<ClientScene> {
  const proxy = await startHttpProxy(target, rules);
  return {
    proxy,
    model: ChatModel.fromPretrained('emulator', { baseUrl: proxy.url, ...options }),
    async [Symbol.asyncDispose]() {
      for (const part of [proxy, ...behind]) await part[Symbol.asyncDispose]();
    },
  };
}

/** The history as `[author, content]`. */
export async function historyOf(chat: ChatSession): Promise<readonly (readonly [string, string])[]> {
  return (await chat.messageHistory().toArray()).map(({ author, content }) => [author, content] as const);
}

/** The text of one candidate. */
export function textOf(pieces: readonly TextGenerationResponse[], index = 0): string {
  return pieces
    .filter((piece) => piece.index === index)
    .map(({ text }) => text)
    .join('');
}

export async function readAll(stream: AsyncIterable<TextGenerationResponse>): Promise<TextGenerationResponse[]> {
  const pieces: TextGenerationResponse[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

/** What it failed with; a success is a failure of the test. */
export async function errorOf<T = unknown>(promise: Promise<unknown>): Promise<T> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: T) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`did not fail: ${JSON.stringify(outcome.value)}`);
}
