// An issuer of tokens: a discovery document, keys, and tokens with whatever is wrong in them.

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly pair: KeyPair;
  readonly jwk: JWK;
}

export const AUDIENCE = 'chat';

export class Issuer implements AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** What is answered instead, until it is taken away. */
  instead: ((response: ServerResponse) => void) | undefined;
  /** Those that are published. */
  keys: readonly SigningKey[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', ({ url = '' }, response) => this.#answer(url, response));
  }

  static async start(port = 0): Promise<Issuer> {
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const issuer = new Issuer(server);
    issuer.keys = [await newSigningKey('first')];
    return issuer;
  }

  get env(): Readonly<Record<string, string>> {
    return { AUTH: 'jwt', JWT_ISSUER: this.url, JWT_AUDIENCE: AUDIENCE };
  }

  get keySetsAsked(): number {
    return this.asked.filter((path) => path === '/keys').length;
  }

  /** A good token of `sub`, but for what is said otherwise; `undefined` leaves a claim out. */
  token(sub: string, claims: JWTPayload = {}, { key = this.keys[0], header = {} }: TokenMaking = {}): Promise<string> {
    if (!key) throw new Error('the issuer has no key');
    const nowS = Math.floor(Date.now() / 1000);
    const payload = { iss: this.url, aud: AUDIENCE, sub, iat: nowS, exp: nowS + 600, ...claims };
    return new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.pair.privateKey);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(path: string, response: ServerResponse): void {
    this.asked.push(path);
    if (this.instead) {
      this.instead(response);
      return;
    }
    const documents: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': { issuer: this.url, jwks_uri: `${this.url}/keys` },
      '/keys': { keys: this.keys.map(({ jwk }) => jwk) },
    };
    response.writeHead(path in documents ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(documents[path] ?? {}));
  }
}

interface TokenMaking {
  readonly key?: SigningKey | undefined;
  readonly header?: Readonly<Record<string, unknown>>;
}

export async function newSigningKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' } };
}

export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}
