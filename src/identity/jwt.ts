// `AUTH=jwt`: a signed token (RFC 7519) of one issuer for one audience says who calls.

import type { IncomingMessage } from 'node:http';
import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import { ChatError } from '../chat/errors.ts';
import {
  bearerToken,
  type Caller,
  type Identity,
  isOwner,
  missing,
  onlyHeader,
  REALM,
  refused,
  scopeOf,
} from './identity.ts';

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
  /** Reads them again, for a token that may be newer. False when that was done a moment ago. Fails with `identity_unavailable`. */
  renew(): Promise<boolean>;
  close(): void;
}

const TOKEN_LENGTH_MAX = 8192;
const SKEW_S = 60;
/** Of a token that does not name its key: each costs a signature. */
const KEY_TRIES_MAX = 10;
/** Of those for other purposes, such as `logout+jwt`, issuers make some with the same claims (RFC 8725, 3.11). */
const TYPES = /^(application\/)?(jwt|at\+jwt)$/i;

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
    if (!token) throw missing(`A token is needed in the header ${header}.`);
    const claims = await this.#verify(token);
    const owner = claims[ownerClaim];
    if (!isOwner(owner)) throw refused(`The token has no usable claim ${ownerClaim}.`);
    const untilMs = ((claims.exp ?? 0) + SKEW_S) * 1000;
    return { owner, scope: scopeOf(wordsOf(claims[scopeClaim])), untilMs };
  }

  /** Every time anew: a token that is kept somewhere has to be looked up by something, and that is how they get mixed up. */
  async #verify(token: string): Promise<JWTPayload> {
    if (token.length > TOKEN_LENGTH_MAX) throw refused('The token is too long.');
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
      const { payload, protectedHeader } = await this.#verifyNewest(token, options);
      if ((payload.iat ?? 0) > nowMs / 1000 + SKEW_S) throw refused('The token is not valid yet.');
      if (!Number.isFinite(payload.exp)) throw refused('The token has no end.');
      if (!TYPES.test(protectedHeader.typ ?? 'jwt')) throw refused('The token is not made for this.');
      return payload;
    } catch (error) {
      if (error instanceof ChatError) throw error;
      throw refused(reasonOf(error), error);
    }
  }

  /** A token that does not name its key may be signed with a newer one than is known. */
  async #verifyNewest(token: string, options: object): Promise<JWTVerifyResult> {
    try {
      return await this.#verifyWithAny(token, options);
    } catch (error) {
      const isOtherKey =
        error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSMultipleMatchingKeys;
      const isNameless = isOtherKey && decodeProtectedHeader(token).kid === undefined;
      if (!isNameless || !(await this.#keys.renew())) throw error;
      return this.#verifyWithAny(token, options);
    }
  }

  async #verifyWithAny(token: string, options: object): Promise<JWTVerifyResult> {
    try {
      return await jwtVerify(token, this.#keys.find, options);
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // A token need not name its key when the issuer has several.
      let tries = 0;
      for await (const key of error) {
        if (tries === KEY_TRIES_MAX) break;
        tries += 1;
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
