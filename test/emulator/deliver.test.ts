// How an answer is written: only as fast as it is read.
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deliverStream } from '../../src/emulator/deliver.ts';
import type { Chunk } from '../../src/emulator/gemini/generate-content.ts';

const CHUNKS = 1000;
const CHUNK_BYTES = 64 * 1024;
const QUIET_ROUNDS = 500;

test('makes no more chunks while the reader does not read, and all of them when he does', async () => {
  let made = 0;
  function* chunks(): Generator<Chunk> {
    for (; made < CHUNKS; made++) yield { modelVersion: 'm', responseId: 'x'.repeat(CHUNK_BYTES) };
  }
  const server = createServer((_, response) => {
    const answer = { chunks, document: () => ({}), broken: '' };
    void deliverStream(answer, true, 0, { response, signal: new AbortController().signal, behaviour: {} });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const [response]: IncomingMessage[] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response');

  for (let quiet = 0, before = -1; quiet < QUIET_ROUNDS; quiet = made === before ? quiet + 1 : 0) {
    before = made;
    await setImmediate();
  }
  expect(made).toBeLessThan(CHUNKS / 2);

  let bytes = 0;
  for await (const piece of response ?? []) bytes += piece.length;
  expect([made, bytes > CHUNKS * CHUNK_BYTES]).toEqual([CHUNKS, true]);
  server.close();
});
