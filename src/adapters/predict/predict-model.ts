// The legacy chat wire: `predict` and `serverStreamingPredict` of Vertex AI, which chat-bison spoke and tuned models of
// its family still may.

import { ChatError } from '../../chat/errors.ts';
import type { LanguageModel, ModelChunk, ModelRequest, TakeChunk, TokenCount } from '../../chat/language-model.ts';
import { methodUrl } from '../upstream/endpoint.ts';
import { readTokenCount } from '../upstream/token-count.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { checkSupported, instanceOf, predictBody, streamingBody } from './predict-request.ts';
import { PredictionStream, readPrediction } from './predict-response.ts';

export class PredictModel implements LanguageModel {
  readonly #upstream: Upstream;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  check(request: ModelRequest): void {
    const { backend } = this.#upstream;
    if (backend.kind === 'gemini-api') {
      throw new ChatError(
        'unsupported_by_model',
        'Models of the legacy wire are on Vertex AI alone, not behind an API key.',
      );
    }
    methodUrl(backend, request.model, 'predict');
    checkSupported(request);
  }

  async generate(request: ModelRequest, signal: AbortSignal): Promise<ModelChunk> {
    const body = JSON.stringify(predictBody(request, this.#upstream));
    return readPrediction(await this.#upstream.document({ model: request.model, method: 'predict', body }, signal));
  }

  async stream(request: ModelRequest, signal: AbortSignal, take: TakeChunk): Promise<void> {
    const body = JSON.stringify(streamingBody(request, this.#upstream));
    const prediction = new PredictionStream();
    const call = { model: request.model, method: 'serverStreamingPredict', body } as const;
    await this.#upstream.values(call, signal, (value) => take(prediction.read(value)));
    take(prediction.end());
  }

  async countTokens(request: ModelRequest, signal: AbortSignal): Promise<TokenCount> {
    const body = JSON.stringify({ instances: [instanceOf(request)] });
    return readTokenCount(await this.#upstream.document({ model: request.model, method: 'countTokens', body }, signal));
  }

  close(): Promise<void> {
    return this.#upstream.close();
  }
}
