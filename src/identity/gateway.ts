// `AUTH=gateway`: somebody in front has asked already, and says in a header who calls. Everybody can send such a header,
// so it counts from known addresses only, and with the shared secret when there is one.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ChatError } from '../chat/errors.ts';
import type { AddressRange } from './address-range.ts';
import { type Caller, type Identity, isOwner, missing, onlyHeader, REALM, scopeOf } from './identity.ts';

export interface GatewayRules {
  readonly ownerHeader: string;
  /** Words separated by spaces or commas. Absent: everybody may `chat`. */
  readonly scopeHeader?: string;
  readonly secret?: string;
}

const SECRET_HEADER = 'x-gateway-secret';

export class GatewayIdentity implements Identity {
  /** Not Bearer: there is nothing a client could send to us directly. */
  readonly challenge = `Gateway ${REALM}`;
  readonly #gateways: AddressRange;
  readonly #rules: GatewayRules;

  constructor(gateways: AddressRange, rules: GatewayRules) {
    this.#gateways = gateways;
    this.#rules = rules;
  }

  /** One refusal for all that may be wrong: whoever tries secrets is not told how far he has come. */
  async identify(request: IncomingMessage): Promise<Caller> {
    let diagnosis = 'it does not come from TRUST_PROXY, or without the right x-gateway-secret';
    try {
      if (this.#isGateway(request)) return this.#callerOf(request);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      diagnosis = error.message;
    }
    throw new ChatError('unauthenticated', 'Only the gateway can say who calls.', { diagnosis });
  }

  #callerOf(request: IncomingMessage): Caller {
    const { ownerHeader, scopeHeader } = this.#rules;
    const owner = onlyHeader(request, ownerHeader);
    if (!isOwner(owner)) throw missing(`${ownerHeader} is not there, or too long`);
    if (scopeHeader === undefined) return { owner, scope: 'chat' };
    // A client can make some gateways drop a header of theirs (`Connection`): without it nobody gets more than was meant.
    const words = (onlyHeader(request, scopeHeader) ?? '').split(/[\s,]+/).filter((word) => word !== '');
    if (words.length === 0) throw missing(`${scopeHeader} is not there`);
    return { owner, scope: scopeOf(words) };
  }

  #isGateway(request: IncomingMessage): boolean {
    const { secret } = this.#rules;
    // The connection's own address: what forwarding headers say is what is in doubt here.
    if (!this.#gateways.includes(request.socket.remoteAddress)) return false;
    return secret === undefined || isSame(onlyHeader(request, SECRET_HEADER) ?? '', secret);
  }

  close(): void {}
}

/** In the same time, wherever they differ. */
function isSame(given: string, wanted: string): boolean {
  const [one, other] = [given, wanted].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
