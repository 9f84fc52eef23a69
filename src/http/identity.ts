// Who calls, before anything else is looked at. Every route asks for it, unless it says that it is open.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ChatError } from '../chat/errors.ts';
import { type Caller, type Identity, REALM } from '../identity/identity.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
    /** False once the caller has lost the right to read; true while that cannot be told. */
    mayGoOn(): Promise<boolean>;
  }
  interface FastifyContextConfig {
    /** Answers everybody; nothing of anybody may be in what it says. */
    isOpen?: boolean;
    /** Changes nothing, although its method could. */
    isRead?: boolean;
  }
}

export function identifyCallers(app: FastifyInstance, identity: Identity): void {
  app.decorateRequest('caller', null);
  app.decorateRequest('mayGoOn', function mayGoOn(this: FastifyRequest) {
    return stillMayRead(identity, this);
  });
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config?.isOpen) return;
    request.caller = await identify(identity, request, reply);
    if (request.caller.scope === 'chat' || isRead(request)) return;
    reply.header('www-authenticate', `Bearer ${REALM}, error="insufficient_scope", scope="chat"`);
    throw new ChatError('forbidden', 'This key or token is for reading only.');
  });
}

/** The owner of what the request is about. */
export function ownerOf({ caller }: FastifyRequest): string {
  // Only a route that is open and asks all the same gets here.
  if (!caller) throw new ChatError('unauthenticated', 'Nobody has said who calls.');
  return caller.owner;
}

async function identify(identity: Identity, request: FastifyRequest, reply: FastifyReply): Promise<Caller> {
  try {
    return await identity.identify(request.raw);
  } catch (error) {
    if (isRefusal(error)) reply.header('www-authenticate', challengeTo(request, identity.challenge));
    throw error;
  }
}

/** Who has sent nothing is told what to send; who has sent something, that it was not good (RFC 6750, 3). */
function challengeTo({ headers }: FastifyRequest, challenge: string): string {
  const hasSent = headers.authorization !== undefined || headers['x-api-key'] !== undefined;
  return hasSent && challenge.startsWith('Bearer ') ? `${challenge}, error="invalid_token"` : challenge;
}

async function stillMayRead(identity: Identity, { caller, raw }: FastifyRequest): Promise<boolean> {
  try {
    return (await identity.identify(raw)).owner === caller?.owner;
  } catch (error) {
    return !isRefusal(error);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ChatError && error.code === 'unauthenticated';
}

function isRead({ method, routeOptions }: FastifyRequest): boolean {
  const isMissing = routeOptions.url === undefined;
  return method === 'GET' || isMissing || routeOptions.config?.isRead === true;
}
