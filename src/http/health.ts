// GET /livez, GET /readyz: for orchestrators. Alive is the event loop alone; ready is the store, and not draining. The
// model's state must not matter here, or an outage there would take the whole fleet away.

import { Type } from 'typebox';
import { ChatError } from '../chat/errors.ts';
import type { Edge } from './edge.ts';
import { answersOf } from './responses.ts';
import { closed, words } from './schemas/schema.ts';

export interface Health {
  isReady(): Promise<boolean>;
  isDraining(): boolean;
}

const Alive = closed({ status: words(['ok']) });

export function health(app: Edge, { isReady, isDraining }: Health): void {
  const operation = (operationId: string, summary: string) => ({
    operationId,
    summary,
    tags: ['operations'],
    security: [],
  });
  app.get(
    '/livez',
    {
      config: { isOpen: true },
      schema: { ...operation('livez', 'Is the process alive?'), response: { 200: described(Alive) } },
    },
    () => ({ status: 'ok' as const }),
  );
  app.get(
    '/readyz',
    {
      config: { isOpen: true },
      schema: {
        ...operation('readyz', 'Can this replica take requests?'),
        response: { 200: described(Alive), ...answersOf(['store_unavailable', 'draining']) },
      },
    },
    async () => {
      if (isDraining()) throw new ChatError('draining', 'This replica is being shut down.');
      if (!(await isReady())) throw new ChatError('store_unavailable', 'The store of sessions cannot be reached.');
      return { status: 'ok' as const };
    },
  );
}

function described(schema: typeof Alive) {
  return { description: 'Yes.', content: { 'application/json': { schema: Type.Unsafe(schema) } } };
}
