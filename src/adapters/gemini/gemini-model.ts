// The Gemini wire: `generateContent` and `streamGenerateContent` on Vertex AI, on the Developer API, and on a stand-in.

import { addChunk, NO_ANSWER } from '../../chat/answer.ts';
import { ChatError } from '../../chat/errors.ts';
import type {
  CandidateChunk,
  LanguageModel,
  ModelChunk,
  ModelRequest,
  TakeChunk,
  TokenCount,
} from '../../chat/language-model.ts';
import { type Method, methodUrl } from '../upstream/endpoint.ts';
import { isObject, objectsIn } from '../upstream/json-value.ts';
import { protocolError } from '../upstream/parse-json.ts';
import { readTokenCount } from '../upstream/token-count.ts';
import type { Upstream, UpstreamCall } from '../upstream/upstream.ts';
import { countRequest, type RequestContext, wireRequest } from './gemini-request.ts';
import { readResponse, startReading } from './gemini-response.ts';
import { Hops } from './hops.ts';

/** How often an answer that ended with `CONTINUATION` is asked to go on. */
const CONTINUATIONS_MAX = 8;

export class GeminiModel implements LanguageModel {
  readonly #upstream: Upstream;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  check(request: ModelRequest): void {
    const { backend } = this.#upstream;
    methodUrl(backend, request.model, 'generateContent');
    if (backend.kind !== 'gemini-api') return;
    const refused = request.groundingSource?.type === 'vertexAiSearch' ? 'vertexAiSearch' : undefined;
    const field = request.settings.labels === undefined ? refused : 'labels';
    if (field) throw new ChatError('unsupported_by_model', `The Gemini Developer API does not support ${field}.`);
  }

  async generate(request: ModelRequest, signal: AbortSignal): Promise<ModelChunk> {
    const options = startReading(request);
    let continuationToken: string | undefined;
    const hops = new Hops();
    const chunks: ModelChunk[] = [];
    for (let hop = 0; hop <= CONTINUATIONS_MAX; hop += 1) {
      const value = await this.#upstream.document(this.#call(request, 'generateContent', continuationToken), signal);
      chunks.push(hops.add(readResponse(value, options)));
      hops.end();
      continuationToken = continuationTokenOf(value);
      if (continuationToken === undefined) return chunks.reduce(addChunk, NO_ANSWER);
    }
    throw protocolError('more continuations than are followed');
  }

  async stream(request: ModelRequest, signal: AbortSignal, take: TakeChunk): Promise<void> {
    const options = startReading(request);
    const hops = new Hops();
    let continuationToken: string | undefined;
    for (let hop = 0; hop <= CONTINUATIONS_MAX; hop += 1) {
      const call = this.#call(request, 'streamGenerateContent', continuationToken);
      continuationToken = undefined;
      await this.#upstream.values(call, signal, (value) => {
        continuationToken = continuationTokenOf(value) ?? continuationToken;
        take(withoutContinuation(hops.add(readResponse(value, options))));
      });
      hops.end();
      if (continuationToken === undefined) return;
    }
    throw protocolError('more continuations than are followed');
  }

  async countTokens(request: ModelRequest, signal: AbortSignal): Promise<TokenCount> {
    const { backend } = this.#upstream;
    const body = countRequest(request, this.#context, backend.kind === 'gemini-api');
    return readTokenCount(await this.#upstream.document({ model: request.model, method: 'countTokens', body }, signal));
  }

  close(): Promise<void> {
    return this.#upstream.close();
  }

  get #context(): RequestContext {
    const { project } = this.#upstream;
    return project === undefined ? {} : { project };
  }

  #call(request: ModelRequest, method: Method, continuationToken: string | undefined): UpstreamCall {
    const more = continuationToken === undefined ? {} : { continuationToken };
    return { model: request.model, method, body: wireRequest(request, this.#context, more) };
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
  if (!chunk.candidates.some(({ finishReason }) => finishReason === 'CONTINUATION')) return chunk;
  const candidates = chunk.candidates.map((candidate): CandidateChunk => {
    if (candidate.finishReason !== 'CONTINUATION') return candidate;
    const { finishReason: _followed, ...rest } = candidate;
    return rest;
  });
  return { ...chunk, candidates };
}
