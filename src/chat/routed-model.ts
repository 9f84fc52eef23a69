// Several wires behind one port: each request goes to the one that its model speaks.

import type { LanguageModel, ModelChunk, ModelRequest, TakeChunk, TokenCount } from './language-model.ts';

export class RoutedModel implements LanguageModel {
  readonly #choose: (model: string) => LanguageModel;
  readonly #close: () => Promise<void>;

  /** `close` ends whatever the models share. */
  constructor(choose: (model: string) => LanguageModel, close: () => Promise<void>) {
    this.#choose = choose;
    this.#close = close;
  }

  generate(request: ModelRequest, signal: AbortSignal): Promise<ModelChunk> {
    return this.#choose(request.model).generate(request, signal);
  }

  stream(request: ModelRequest, signal: AbortSignal, take: TakeChunk): Promise<void> {
    return this.#choose(request.model).stream(request, signal, take);
  }

  countTokens(request: ModelRequest, signal: AbortSignal): Promise<TokenCount> {
    return this.#choose(request.model).countTokens(request, signal);
  }

  check(request: ModelRequest): void {
    this.#choose(request.model).check(request);
  }

  close(): Promise<void> {
    return this.#close();
  }
}
