// The Gemini adapter in front of a scripted upstream, over real sockets.

import { GeminiModel } from '../../src/adapters/gemini/gemini-model.ts';
import { Upstream as ModelHost, type UpstreamRules } from '../../src/adapters/upstream/upstream.ts';
import type { Chance } from '../../src/chat/clock.ts';
import { visibleText } from '../../src/chat/content.ts';
import { ChatError } from '../../src/chat/errors.ts';
import type { LanguageModel, ModelChunk, ModelRequest } from '../../src/chat/language-model.ts';
import { type Script, startUpstream, type Upstream } from './upstream.ts';

export const RULES: UpstreamRules = {
  connectTimeoutMs: 2000,
  firstEventTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
  retriesMax: 2,
  retryWaitMaxMs: 8000,
  connectionsMax: 64,
  bodyBytesMax: 1024 ** 2,
  eventSizeMax: 1024 ** 2,
};

export const REQUEST: ModelRequest = {
  model: 'm',
  examples: [],
  contents: [{ author: 'user', parts: [{ text: 'Hi' }] }],
  settings: {},
};

/** How the model is asked. */
export const WAYS = ['stream', 'generate'] as const;
export type Way = (typeof WAYS)[number];

export interface Outcome {
  readonly chunks: readonly ModelChunk[];
  readonly text: string;
  readonly error?: ChatError;
  readonly code?: string;
  readonly ms: number;
}

export interface ModelScene extends AsyncDisposable {
  readonly model: GeminiModel;
  readonly upstream: Upstream;
  /** Asks, and waits for the end. Every error of the adapter has to be a ChatError. */
  ask(way: Way, signal?: AbortSignal, request?: ModelRequest): Promise<Outcome>;
}

export interface SceneOptions {
  readonly rules?: Partial<UpstreamRules>;
  /** 0: retries come at once. */
  readonly chance?: Chance;
}

export async function startModel(script: Script, options: SceneOptions = {}): Promise<ModelScene> {
  const upstream = await startUpstream(script);
  const model = modelAt(upstream.url, options);
  return {
    model,
    upstream,
    ask: (way, signal, request) => ask(model, way, signal, request),
    async [Symbol.asyncDispose]() {
      await model.close();
      await upstream.close();
    },
  };
}

export function modelAt(baseUrl: string, { rules = {}, chance = () => 0 }: SceneOptions = {}): GeminiModel {
  const backend = { kind: 'gemini-api', apiKey: 'the-api-key', baseUrl } as const;
  return new GeminiModel(new ModelHost(backend, { ...RULES, ...rules }, chance));
}

export async function ask(
  model: LanguageModel,
  way: Way,
  signal = neverAborted(),
  request = REQUEST,
): Promise<Outcome> {
  const chunks: ModelChunk[] = [];
  const started = performance.now();
  const outcome = () => {
    const parts = chunks.flatMap(({ candidates }) => candidates.flatMap((candidate) => candidate.parts));
    return { chunks, text: visibleText(parts), ms: performance.now() - started };
  };
  try {
    if (way === 'stream') await model.stream(request, signal, (chunk) => chunks.push(chunk));
    else chunks.push(await model.generate(request, signal));
    return outcome();
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return { ...outcome(), error, code: error.code };
  }
}

function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

/** Fails when the promise has not settled in time. */
export async function within<T>(ms: number, fact: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${fact}`)), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
