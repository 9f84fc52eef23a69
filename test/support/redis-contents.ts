// What a Redis holds, byte for byte: to see that something changed nothing, or was done whole.

import type { Redis } from 'ioredis';
import { keysUnder } from './redis-stores.ts';

/** Key → its contents as Redis serializes them; lifetimes are not part of it. */
export async function contentsUnder(client: Redis, prefix: string): Promise<Readonly<Record<string, string>>> {
  const contents: Record<string, string> = {};
  for (const key of [...(await keysUnder(client, prefix))].sort()) {
    const dump = await client.dumpBuffer(key);
    if (dump) contents[key] = dump.toString('base64');
  }
  return contents;
}
