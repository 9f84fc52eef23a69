// The Gemini wire: `generateContent` and `streamGenerateContent` on Vertex AI, on the Developer API, and on a stand-in.

import { addChunk, NO_ANSWER } from '../../chat/answer.ts';
import type { Chance } from '../../chat/clock.ts';
import { ChatError } from '../../chat/errors.ts';
import type { CandidateChunk, LanguageModel, ModelChunk, ModelRequest } from '../../chat/language-model.ts';
import { credentialsFor } from './credentials.ts';
import { type Backend, type Method, methodUrl } from './endpoint.ts';
import { wireRequest } from './gemini-request.ts';
import { type ResponseOptions, readResponse, startReading } from './gemini-response.ts';
import { JsonStreamDecoder, protocolError } from './json-stream-decoder.ts';
import { isObject, objectsIn } from './json-value.ts';
import { Transport, type TransportRules } from './transport.ts';

export interface GeminiRules extends TransportRules {
  readonly eventSizeMax: number;
}

/** How often an answer that ended with `CONTINUATION` is asked to go on. */
const CONTINUATIONS_MAX = 8;

export class GeminiModel implements LanguageModel {
  readonly #backend: Backend;
  readonly #rules: GeminiRules;
  readonly #transport: Transport;

  constructor(backend: Backend, rules: GeminiRules, chance: Chance) {
    this.#backend = backend;
    this.#rules = rules;
    this.#transport = new Transport(credentialsFor(backend), rules, chance);
  }

  check(request: ModelRequest): void {
    methodUrl(this.#backend, request.model, 'generateContent');
    if (this.#backend.kind !== 'gemini-api') return;
    const refused = request.groundingSource?.type === 'vertexAiSearch' ? 'vertexAiSearch' : undefined;
    const field = request.settings.labels === undefined ? refused : 'labels';
    if (field) throw new ChatError('unsupported_by_model', `The Gemini Developer API does not support ${field}.`);
  }

  async generate(request: ModelRequest, signal: AbortSignal): Promise<ModelChunk> {
    const options = responseOptions(request);
    let continuationToken: string | undefined;
    const chunks: ModelChunk[] = [];
    for (let hop = 0; hop <= CONTINUATIONS_MAX; hop += 1) {
      const { url, body } = this.#call(request, 'generateContent', continuationToken);
      const value = parseDocument(await this.#transport.fetchBody(url, body, signal));
      chunks.push(readResponse(value, options));
      continuationToken = continuationTokenOf(value);
      if (continuationToken === undefined) return chunks.reduce(addChunk, NO_ANSWER);
    }
    throw protocolError('more continuations than are followed');
  }

  async *stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelChunk> {
    const options = responseOptions(request);
    let continuationToken: string | undefined;
    for (let hop = 0; hop <= CONTINUATIONS_MAX; hop += 1) {
      const { url, body } = this.#call(request, 'streamGenerateContent', continuationToken);
      continuationToken = undefined;
      for await (const value of this.#values(url, body, signal)) {
        continuationToken = continuationTokenOf(value) ?? continuationToken;
        yield withoutContinuation(readResponse(value, options));
      }
      if (continuationToken === undefined) return;
    }
    throw protocolError('more continuations than are followed');
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async *#values(url: string, body: string, signal: AbortSignal): AsyncIterable<unknown> {
    const decoder = new JsonStreamDecoder({ eventSizeMax: this.#rules.eventSizeMax });
    let alive = () => {};
    const bytes = this.#transport.stream(url, body, signal, (callback) => {
      alive = callback;
    });
    for await (const piece of bytes) {
      for (const value of decoder.push(piece)) {
        alive();
        yield value;
      }
    }
    yield* decoder.end();
  }

  #call(request: ModelRequest, method: Method, continuationToken: string | undefined) {
    const context = this.#backend.kind === 'gemini-api' ? {} : { project: this.#backend.project };
    const wire = wireRequest(request, context);
    const body = JSON.stringify(continuationToken === undefined ? wire : { ...wire, continuationToken });
    return { url: methodUrl(this.#backend, request.model, method), body };
  }
}

function responseOptions({ groundingSource }: ModelRequest): ResponseOptions {
  const isStripped = groundingSource !== undefined && groundingSource.type !== 'inlineContext';
  return startReading(isStripped && groundingSource.disableAttribution === true);
}

function parseDocument(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw protocolError('something that is not JSON', cause);
  }
}

/** Given when a candidate reached the limit of one request without having finished. */
function continuationTokenOf(value: unknown): string | undefined {
  if (!isObject(value)) return undefined;
  const candidate = objectsIn(value.candidates).find(({ finishReason }) => finishReason === 'CONTINUATION');
  return typeof candidate?.continuationToken === 'string' ? candidate.continuationToken : undefined;
}

/** `CONTINUATION` is followed, so nobody needs to see it as a reason to finish. */
function withoutContinuation(chunk: ModelChunk): ModelChunk {
  const candidates = chunk.candidates.map((candidate): CandidateChunk => {
    if (candidate.finishReason !== 'CONTINUATION') return candidate;
    const { finishReason: _followed, ...rest } = candidate;
    return rest;
  });
  return { ...chunk, candidates };
}
