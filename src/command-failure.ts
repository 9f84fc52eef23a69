// What a command says when it fails: also what Redis has refused, which is the operator's to mend.

export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const isReply = cause instanceof Error && cause.name === 'ReplyError';
  return isReply ? `${error.message} Redis says: ${cause.message}` : error.message;
}

/** A connection that is not let in is only seen as one that does not stand: why is told beside. */
export class Refusals {
  #newest: Error | undefined;

  readonly note = (error: Error): void => {
    this.#newest = error;
  };

  /** With what the connection was told, when it was. */
  async explain<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof Error) || this.#newest?.name !== 'ReplyError') throw error;
      throw new Error(error.message, { cause: this.#newest });
    }
  }
}
