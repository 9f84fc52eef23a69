// Headers that prove who calls. Application Default Credentials for Vertex AI, by google-auth-library.

import { ChatError } from '../../chat/errors.ts';
import type { Backend } from './endpoint.ts';

export interface Credentials {
  /** Fails with `model_error` when no token can be had. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** The upstream refused the token: the next one is new. False when there is nothing to renew. */
  renew(): Promise<boolean>;
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

function fixed(headers: Readonly<Record<string, string>>): Credentials {
  return { headers: async () => headers, renew: async () => false };
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

type AuthClient = { getRequestHeaders(): Promise<Headers> };

class DefaultCredentials implements Credentials {
  #client: Promise<AuthClient> | undefined;
  /** Impersonated clients ask for a token per caller; one request at a time serves all. */
  #pending: Promise<Readonly<Record<string, string>>> | undefined;

  headers(): Promise<Readonly<Record<string, string>>> {
    this.#pending ??= this.#readHeaders().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** Taking only headers, the library never sees a 401: a new client has no old token. */
  async renew(): Promise<boolean> {
    this.#client = undefined;
    return true;
  }

  async #readHeaders(): Promise<Readonly<Record<string, string>>> {
    try {
      this.#client ??= newClient();
      return Object.fromEntries(await (await this.#client).getRequestHeaders());
    } catch (cause) {
      this.#client = undefined;
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
