// What a Redis holds, byte for byte: to see that something changed nothing, or was done whole.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** Its keys and their contents, its snapshot without compression, and every write that it has seen. */
export async function everythingIn(client: Redis, pattern = 'csp-test-*'): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const take = (reply: unknown): void => {
    if (Array.isArray(reply)) for (const item of reply) take(item);
    else if (reply instanceof Buffer) pieces.push(reply);
  };
  for (const key of await keysUnder(client, pattern)) {
    pieces.push(Buffer.from(key));
    const read = { string: 'GET', hash: 'HGETALL', list: 'LRANGE', zset: 'ZRANGE', stream: 'XRANGE' }[
      await client.type(key)
    ];
    const range = { LRANGE: ['0', '-1'], ZRANGE: ['0', '-1'], XRANGE: ['-', '+'] }[read ?? ''] ?? [];
    take(await client.callBuffer(read ?? 'TYPE', key, ...range));
  }
  await client.config('SET', 'rdbcompression', 'no');
  await client.save();
  const [, folder = ''] = (await client.config('GET', 'dir')) as string[];
  for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) pieces.push(readFileSync(join(file.parentPath, file.name)));
  }
  return Buffer.concat(pieces);
}
