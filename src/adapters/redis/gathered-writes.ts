// What is sent to a server of Redis in one turn of the event loop leaves in one write: a write for each command costs both
// sides more than the command.

import { Cluster, type Redis } from 'ioredis';

export function gatherWrites(client: Redis | Cluster): void {
  if (client instanceof Cluster) client.on('+node', gatherOf);
  else gatherOf(client);
}

/** ioredis writes each command as soon as it comes, on a socket that is another one after each reconnection. */
function gatherOf(redis: Redis): void {
  redis.on('connect', () => {
    const { stream } = redis;
    const write = stream.write.bind(stream);
    const gathered = (...args: Parameters<typeof write>) => {
      if (stream.writableCorked === 0) {
        stream.cork();
        setImmediate(() => stream.uncork());
      }
      return write(...args);
    };
    stream.write = gathered as typeof stream.write;
  });
}
