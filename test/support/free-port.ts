// Ports for programs that cannot be told to choose one themselves.

import { once } from 'node:events';
import { createServer } from 'node:net';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

/** A cluster node also listens on its port + 10000, so an ephemeral port may be too high for it. */
export async function freeClusterPort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = 17_000 + Math.floor(Math.random() * 8000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
  throw new Error('no free pair of ports for a cluster node');
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  return promise;
}
