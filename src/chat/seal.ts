// What the contents of a session are sealed with, as far as a store has to know: a part of the port, whose rules are in
// `session-store.ts`. A session whose contents are kept as they are has no seal.

/** Made with the session and gone with it: without the key in it nothing of the session can be read any more. */
export interface Seal {
  /** Never used twice: a session that is made again under the same id has another one. */
  readonly id: string;
  /** Opaque, and of no use without the key that it is wrapped in. */
  readonly wrappedKey: Uint8Array;
}

/** Contents that come to a store, or what is made of them. */
export interface Sealed {
  /** Of the seal that they are made for; absent when they are not sealed. */
  readonly sealId?: string | undefined;
}

/** The session has another seal than the one that the contents were made for, and nothing has been changed. */
export class SealMismatch extends Error {
  override readonly name = 'SealMismatch';

  constructor() {
    super('The session has another seal.');
  }
}
