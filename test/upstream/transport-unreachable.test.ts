// A model that nobody can reach, or that does not speak HTTP.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ask, modelAt, startModel, WAYS } from '../support/model-scene.ts';
import { startUpstream } from '../support/upstream.ts';

describe('a model that cannot be reached', () => {
  it.each(WAYS)('is model_unreachable when the connection is refused (%s)', async (way) => {
    const upstream = await startUpstream(() => undefined);
    await upstream.close();
    const model = modelAt(upstream.url);
    const outcome = await ask(model, way);
    expect(outcome).toMatchObject({ code: 'model_unreachable', error: { retryable: true } });
    expect(outcome.error?.message).not.toContain('127.0.0.1');
    expect(outcome.ms).toBeLessThan(2000);
    await model.close();
  });

  it.each(WAYS)('is model_unreachable when the connection ends before an answer begins (%s)', async (way) => {
    await using scene = await startModel((response) => void response.socket?.destroy());
    expect(await scene.ask(way)).toMatchObject({ code: 'model_unreachable' });
    expect(scene.upstream.calls).toHaveLength(1);
  });

  it.each(WAYS)('is model_unreachable when no connection comes about in time (%s)', async (way) => {
    // Accepts, and never says a word of TLS.
    await using server = await listen(() => undefined);
    const model = modelAt(server.url.replace('http:', 'https:'), { rules: { connectTimeoutMs: 200 } });
    const outcome = await ask(model, way);
    expect(outcome).toMatchObject({ code: 'model_unreachable' });
    expect(outcome.ms).toBeLessThan(5000);
    await model.close();
  });

  it.each([
    '220 smtp.example.com ESMTP\r\n',
    'HTTP/1.1 200 OK\r\nno header\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    `HTTP/1.1 200 OK\r\nlong: ${'x'.repeat(100_000)}\r\n\r\n`,
  ])('is model_protocol_error when what answers does not speak HTTP (%#)', async (words) => {
    await using server = await listen((socket) => socket.once('data', () => socket.end(words)));
    const model = modelAt(server.url);
    for (const way of WAYS) expect(await ask(model, way)).toMatchObject({ code: 'model_protocol_error' });
    await model.close();
  });
});

/** A server that speaks whatever it likes. */
async function listen(onSocket: (socket: Socket) => void): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
