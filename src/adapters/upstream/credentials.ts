// Headers that prove who calls. Application Default Credentials for Vertex AI, by google-auth-library.

import { ChatError } from '../../chat/errors.ts';
import type { Backend } from './endpoint.ts';

export type AuthHeaders = Readonly<Record<string, string>>;

export interface Credentials {
  /** Fails with `model_error` when no token can be had. */
  headers(): Promise<AuthHeaders>;
  /**
   * The upstream refused these headers: the next ones are others. Many calls may be refused with the same token; it is
   * replaced once. False when there is nothing to renew.
   */
  renew(refused: AuthHeaders): Promise<boolean>;
}

export function credentialsFor(backend: Backend): Credentials {
  switch (backend.kind) {
    case 'vertex':
      return new DefaultCredentials();
    case 'gemini-api':
      return fixed({ 'x-goog-api-key': backend.apiKey });
    case 'emulator':
      return fixed({});
    default:
      return backend satisfies never;
  }
}

function fixed(headers: AuthHeaders): Credentials {
  return { headers: async () => headers, renew: async () => false };
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

type AuthClient = { getRequestHeaders(): Promise<Headers> };

class DefaultCredentials implements Credentials {
  #client: Promise<AuthClient> | undefined;
  /** Impersonated clients ask for a token per caller; one request at a time serves all. */
  #pending: Promise<AuthHeaders> | undefined;
  /** What the newest callers were given. */
  #current: AuthHeaders | undefined;

  headers(): Promise<AuthHeaders> {
    if (this.#pending) return this.#pending;
    const pending = this.#readHeaders().finally(() => {
      if (this.#pending === pending) this.#pending = undefined;
    });
    this.#pending = pending;
    return pending;
  }

  /** Taking only headers, the library never sees a 401: a new client has no old token. */
  async renew(refused: AuthHeaders): Promise<boolean> {
    if (refused.authorization !== this.#current?.authorization) return true;
    this.#client = undefined;
    this.#pending = undefined;
    this.#current = undefined;
    return true;
  }

  async #readHeaders(): Promise<AuthHeaders> {
    this.#client ??= newClient();
    const client = this.#client;
    try {
      const headers = Object.fromEntries(await (await client).getRequestHeaders());
      if (this.#client === client) this.#current = headers;
      return headers;
    } catch (cause) {
      if (this.#client === client) this.#client = undefined;
      // The library's texts may contain tokens: they go nowhere.
      const diagnosis = 'no access token: check the Application Default Credentials';
      throw new ChatError('model_error', 'The service has no credentials for the model now.', { cause, diagnosis });
    }
  }
}

/** Loaded when needed: it takes longer to load than everything else, and most ways to start need it never. */
async function newClient(): Promise<AuthClient> {
  const { GoogleAuth } = await import('google-auth-library');
  return new GoogleAuth({ scopes: [SCOPE] }).getClient();
}
