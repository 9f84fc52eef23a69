// Answers that nobody reads: a page of a long history is many megabytes, which stay in memory for as long as its reader wants.
// Streams have their own measure (`sse-stream.ts`).

import type { Edge } from './edge.ts';

/** A connection that takes nothing of its answer for so long is closed. */
export function cutSlowReaders(app: Edge, stallMs: number): void {
  app.addHook('onSend', async (_request, reply) => {
    // Of the socket, which sees every byte that leaves. Nobody listens for it, so Node closes the connection; and sets it anew
    // (`keepAliveTimeout`) once the answer has left.
    reply.raw.setTimeout(stallMs);
  });
}
