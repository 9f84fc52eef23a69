// A language model that says what the test tells it to, when it is told.

import type { LanguageModel, ModelChunk, ModelRequest, TakeChunk, TokenCount } from '../../src/chat/language-model.ts';

type Line = { readonly chunk: ModelChunk } | { readonly error: Error } | 'end';

/** One call of the model, from the test's side. */
export class ModelCall {
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
  readonly #lines: Line[] = [];
  #wake: () => void = () => undefined;

  constructor(request: ModelRequest, signal: AbortSignal) {
    this.request = request;
    this.signal = signal;
    signal.addEventListener('abort', () => this.#wake());
  }

  say(chunk: ModelChunk): void {
    this.#push({ chunk });
  }

  /** One piece of plain text of candidate 0. */
  text(text: string, finishReason?: string): void {
    this.say({ candidates: [{ index: 0, parts: [{ text }], ...(finishReason ? { finishReason } : {}) }] });
  }

  end(): void {
    this.#push('end');
  }

  fail(error: Error): void {
    this.#push({ error });
  }

  async read(take: TakeChunk): Promise<void> {
    for (;;) {
      if (this.signal.aborted) throw this.signal.reason;
      const line = this.#lines.shift();
      if (line === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else if (line === 'end') return;
      else if ('error' in line) throw line.error;
      else take(line.chunk);
    }
  }

  #push(line: Line): void {
    this.#lines.push(line);
    this.#wake();
  }
}

export class ScriptedModel implements LanguageModel {
  readonly calls: ModelCall[] = [];
  /** What `check` throws, when the request is to be refused. */
  refusal: Error | undefined;

  /** The newest call. */
  get call(): ModelCall {
    const call = this.calls.at(-1);
    if (!call) throw new Error('the model has not been called');
    return call;
  }

  async generate(request: ModelRequest, signal: AbortSignal): Promise<ModelChunk> {
    const { promise, resolve, reject } = Promise.withResolvers<ModelChunk>();
    this.stream(request, signal, resolve).then(() => reject(new Error('a unary answer without a chunk')), reject);
    return promise;
  }

  stream(request: ModelRequest, signal: AbortSignal, take: TakeChunk): Promise<void> {
    const call = new ModelCall(request, signal);
    this.calls.push(call);
    return call.read(take);
  }

  /** One token for each content. */
  async countTokens({ contents }: ModelRequest): Promise<TokenCount> {
    return { totalTokens: contents.length };
  }

  check(): void {
    if (this.refusal) throw this.refusal;
  }

  async close(): Promise<void> {}
}
