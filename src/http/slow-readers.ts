// Answers that nobody reads: a page of a long history is many megabytes, which stay in memory for as long as its reader wants.
// Streams have their own measure (`sse-stream.ts`).

import type { Edge } from './edge.ts';

/** A connection that takes nothing of its answer for so long is closed. */
export function cutSlowReaders(app: Edge, stallMs: number): void {
  app.addHook('onSend', (_request, { raw }, _payload, done) => {
    // Of the socket, which sees every byte that leaves. Nobody listens for it, so Node closes the connection.
    raw.setTimeout(stallMs);
    // Before Node's own listener, which lets the connection idle: a request that is in line there may take its time.
    raw.prependOnceListener('finish', () => raw.setTimeout(0));
    done();
  });
}
