// `AUTH=jwt`: a signed token (RFC 7519) of one issuer for one audience says who calls.

import type { IncomingMessage } from 'node:http';
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { ChatError } from '../chat/errors.ts';
import { bearerToken, type Caller, type Identity, isOwner, onlyHeader, REALM, scopeOf } from './identity.ts';

export interface JwtRules {
  /** Exactly as tokens have it. */
  readonly issuer: string;
  /** One of them has to be among the token's. */
  readonly audiences: readonly string[];
  /** Signatures by public keys alone: with a shared secret in the list, a public key could be used as one. */
  readonly algorithms: readonly string[];
  readonly ownerClaim: string;
  readonly scopeClaim: string;
  /** Where the token is: `authorization` (behind `Bearer`), or a header that holds nothing else. */
  readonly header: string;
}

export interface IssuerKeys {
  /** The key that a token names. Fails with `identity_unavailable`, or as jose's key sets do. */
  readonly find: JWTVerifyGetKey;
  close(): void;
}

const TOKEN_LENGTH_MAX = 8192;
const SKEW_S = 60;

export class JwtIdentity implements Identity {
  readonly challenge = `Bearer ${REALM}`;
  readonly #keys: IssuerKeys;
  readonly #rules: JwtRules;
  readonly #now: () => number;

  constructor(keys: IssuerKeys, rules: JwtRules, now: () => number) {
    this.#keys = keys;
    this.#rules = rules;
    this.#now = now;
  }

  async identify(request: IncomingMessage): Promise<Caller> {
    const { header, ownerClaim, scopeClaim } = this.#rules;
    const token = header === 'authorization' ? bearerToken(request) : onlyHeader(request, header);
    if (!token) throw new ChatError('unauthenticated', `A token is needed in the header ${header}.`);
    const claims = await this.#verify(token);
    const owner = claims[ownerClaim];
    if (!isOwner(owner)) throw refusal(`The token has no usable claim ${ownerClaim}.`);
    return { owner, scope: scopeOf(wordsOf(claims[scopeClaim])) };
  }

  /** Every time anew: a token that is kept somewhere has to be looked up by something, and that is how they get mixed up. */
  async #verify(token: string): Promise<JWTPayload> {
    if (token.length > TOKEN_LENGTH_MAX) throw refusal('The token is too long.');
    const { issuer, audiences, algorithms } = this.#rules;
    const nowMs = this.#now();
    const options = {
      issuer,
      audience: [...audiences],
      algorithms: [...algorithms],
      clockTolerance: SKEW_S,
      requiredClaims: ['exp'],
      currentDate: new Date(nowMs),
    };
    try {
      const { payload } = await this.#verifyWithAny(token, options);
      if ((payload.iat ?? 0) > nowMs / 1000 + SKEW_S) throw refusal('The token is not valid yet.');
      return payload;
    } catch (error) {
      if (error instanceof ChatError) throw error;
      throw refusal(reasonOf(error), error);
    }
  }

  async #verifyWithAny(token: string, options: object): Promise<{ readonly payload: JWTPayload }> {
    try {
      return await jwtVerify(token, this.#keys.find, options);
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // A token need not name its key when the issuer has several.
      for await (const key of error) {
        try {
          return await jwtVerify(token, key, options);
        } catch (mismatch) {
          if (!(mismatch instanceof errors.JWSSignatureVerificationFailed)) throw mismatch;
        }
      }
      throw error;
    }
  }

  close(): void {
    this.#keys.close();
  }
}

function refusal(detail: string, cause?: unknown): ChatError {
  return new ChatError('unauthenticated', detail, { cause });
}

/** Fixed texts: what a library says about a token may quote it. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) return `The token's claim ${error.claim} is not accepted.`;
  if (error instanceof errors.JOSEAlgNotAllowed) return "The token's algorithm is not accepted.";
  return 'The token is not valid.';
}

/** A list, or words in a text (RFC 8693, 4.2). */
function wordsOf(claim: unknown): readonly string[] {
  if (Array.isArray(claim)) return claim.filter((word) => typeof word === 'string');
  return typeof claim === 'string' ? claim.split(' ') : [];
}
