// Who calls. With `AUTH=none` everybody is the same owner.

import type { FastifyRequest } from 'fastify';

export function ownerOf(_request: FastifyRequest): string {
  return 'anyone';
}
