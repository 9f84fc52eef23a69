// GET /openapi.yaml: the file at the repository root, byte for byte.

import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import type { Edge } from './edge.ts';

export function openapiDocument(app: Edge): void {
  const document = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
  app.get(
    '/openapi.yaml',
    {
      config: { isOpen: true },
      schema: {
        operationId: 'openapi',
        security: [],
        summary: 'This document',
        tags: ['operations'],
        response: { 200: { description: 'OpenAPI 3.1.', content: { 'application/yaml': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => {
      reply.type('application/yaml; charset=utf-8');
      return document;
    },
  );
}
