// Who calls, before anything else is looked at. Every route asks for it, unless it says that it is open.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ChatError } from '../chat/errors.ts';
import type { Caller, Identity } from '../identity/identity.ts';

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
  });
}

/** After requests were counted: one that is refused is one, too. */
export function judgeScopes(app: FastifyInstance, identity: Identity): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (request.caller === null || request.caller.scope === 'chat' || isRead(request)) {
      done();
      return;
    }
    // Errors are said in Bearer challenges alone (RFC 6750, 3).
    const error = isBearer(identity) ? ', error="insufficient_scope", scope="chat"' : '';
    reply.header('www-authenticate', `${identity.challenge}${error}`);
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
    if (isRefusal(error)) {
      // Who has sent nothing is told what to send; who has sent something, that it was not good.
      const isBad = isBearer(identity) && error.details.isCredentialRefused;
      reply.header('www-authenticate', `${identity.challenge}${isBad ? ', error="invalid_token"' : ''}`);
    }
    throw error;
  }
}

function isBearer({ challenge }: Identity): boolean {
  return challenge.startsWith('Bearer ');
}

async function stillMayRead(identity: Identity, { caller, raw }: FastifyRequest): Promise<boolean> {
  // Not a matter of whether anybody can be asked now.
  if (caller?.untilMs !== undefined && caller.untilMs <= Date.now()) return false;
  try {
    return (await identity.identify(raw)).owner === caller?.owner;
  } catch (error) {
    return !isRefusal(error);
  }
}

function isRefusal(error: unknown): error is ChatError {
  return error instanceof ChatError && error.code === 'unauthenticated';
}

function isRead({ method, routeOptions }: FastifyRequest): boolean {
  const isMissing = routeOptions.url === undefined;
  return method === 'GET' || isMissing || routeOptions.config?.isRead === true;
}
