// How many requests an address and an owner may make in a minute, over all replicas; and the headers by which they are told
// (draft-ietf-httpapi-ratelimit-headers).

import { isIPv6 } from 'node:net';
import type { FastifyReply } from 'fastify';
import { ChatError } from '../chat/errors.ts';
import type { LenientQuotas } from '../chat/lenient-quotas.ts';
import { RATE_WINDOW, type Requester } from '../chat/quotas.ts';
import type { Edge } from './edge.ts';
import { ownerOf } from './identity.ts';

export interface RateLimits {
  readonly quotas: Pick<LenientQuotas, 'count'>;
  /** 0 for as many as it wants; so below. */
  readonly ownerRequestsPerMinute: number;
  readonly addressRequestsPerMinute: number;
}

const WINDOW_S = (RATE_WINDOW.stepMs * RATE_WINDOW.steps) / 1000;

/** Orchestrators ask from one address, and must not be taken for somebody who asks too often. */
const ALWAYS_OPEN = new Set<string | undefined>(['/livez', '/readyz']);

/** Before anybody is asked who he is, so that keys cannot be guessed at any pace. */
export function limitAddresses(app: Edge, { quotas, addressRequestsPerMinute }: RateLimits): void {
  if (addressRequestsPerMinute === 0) return;
  app.addHook('onRequest', async ({ ip, method, routeOptions }, reply) => {
    // Without an address the connection is gone already.
    if (method === 'OPTIONS' || ALWAYS_OPEN.has(routeOptions.url) || !ip) return;
    await spend({ kind: 'address', name: networkOf(ip) }, addressRequestsPerMinute, quotas, reply);
  });
}

/** Once it is known who asks. */
export function limitOwners(app: Edge, { quotas, ownerRequestsPerMinute }: RateLimits): void {
  if (ownerRequestsPerMinute === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    // What is open asks nobody who he is; a path that is not there does.
    if (request.method === 'OPTIONS' || request.caller === null) return;
    await spend({ kind: 'owner', name: ownerOf(request) }, ownerRequestsPerMinute, quotas, reply);
  });
}

async function spend(
  caller: Requester,
  requestsMax: number,
  quotas: RateLimits['quotas'],
  reply: FastifyReply,
): Promise<void> {
  const counted = await quotas.count(caller, requestsMax);
  if (!counted) return;
  const { isAdmitted, remaining } = counted;
  const waitS = Math.ceil(counted.waitMs / 1000);
  tell(reply, 'ratelimit-policy', `"${caller.kind}";q=${requestsMax};w=${WINDOW_S}`);
  // `r` and `t` up to draft 11, `a` and `w` from 12 on: what a client does not know it has to pass over.
  tell(reply, 'ratelimit', `"${caller.kind}";r=${remaining};t=${waitS};a=${remaining};w=${waitS}`);
  if (isAdmitted) return;
  const detail = `More than ${requestsMax} requests of this ${caller.kind} in ${WINDOW_S} s.`;
  throw new ChatError('rate_limited', detail, { retryAfterS: waitS });
}

/** A list: one item for each limit that applies. */
function tell(reply: FastifyReply, header: string, item: string): void {
  const before = reply.getHeader(header);
  reply.header(header, before === undefined ? item : `${before}, ${item}`);
}

/** Who has an IPv6 address has 2^64 of them. */
export function networkOf(ip: string): string {
  const [address = ''] = ip.split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const zeros = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...(tail ? tail.split(':') : [])];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
