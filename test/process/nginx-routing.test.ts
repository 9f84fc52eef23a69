// What deploy/nginx.conf does with single requests, seen from plain HTTP servers in the replicas' places.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEmulator } from '../../src/emulator/server.ts';
import { Client, send } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { startService } from '../support/service.ts';

interface Backend {
  readonly url: string;
  readonly requests: IncomingMessage[];
  connections: number;
  answer: (response: ServerResponse, request: IncomingMessage) => void;
  close(): Promise<void>;
}

async function startBackend(): Promise<Backend> {
  const server = createServer(async (request, response) => {
    await request.resume().toArray();
    backend.requests.push(request);
    backend.answer(response, request);
  });
  server.on('connection', () => {
    backend.connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const backend: Backend = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    requests: [],
    connections: 0,
    answer: (response) => response.end('{}'),
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return backend;
}

let backends: readonly [Backend, Backend];
let nginx: Nginx;
beforeEach(async () => {
  backends = [await startBackend(), await startBackend()];
  nginx = await startNginx(backends.map(({ url }) => url));
});
afterEach(async () => {
  await nginx[Symbol.asyncDispose]();
  for (const backend of backends) await backend.close();
});

const requests = () => backends.flatMap((backend) => backend.requests);
const SEND = '/v1/sessions/s/messages';
const EVENTS = '/v1/sessions/s/turns/t/events';

test('requests go to the replicas in turns, over connections that are kept', async () => {
  for (let i = 0; i < 40; i += 1) await send(`${nginx.url}/v1/sessions/${i}`, 'GET');
  expect(backends.map((backend) => backend.requests.length)).toEqual([20, 20]);
  // Each worker of nginx keeps its own; without keeping there would be 20.
  for (const { connections } of backends) expect(connections).toBeLessThan(10);
});

test('headers of the client pass; who it is and where it came from is said by the proxy', async () => {
  const passed = {
    authorization: 'Bearer key',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'idempotency-key': 'once',
    'last-event-id': '1795510518281002-2',
    'if-match': '"3"',
    prefer: 'respond-async',
  };
  const claimed = { 'x-forwarded-for': '8.8.8.8', 'x-forwarded-user': 'root', 'x-gateway-secret': 'guess' };
  await send(`${nginx.url}${SEND}?a=b`, 'POST', { body: {}, headers: { ...passed, ...claimed, forwarded: 'for=x' } });
  const [request] = requests();
  expect(request?.url).toBe(`${SEND}?a=b`);
  expect(request?.headers).toMatchObject({
    ...passed,
    host: new URL(nginx.url).host,
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': new URL(nginx.url).host,
  });
  for (const name of ['x-forwarded-user', 'x-gateway-secret', 'forwarded'])
    expect(request?.headers).not.toHaveProperty(name);
});

test.each(['POST', 'PATCH'])(
  'a %s that a replica has taken is sent to no other when the answer does not come',
  async (method) => {
    for (const backend of backends) backend.answer = (_response, request) => request.socket.destroy();
    const { status, headers, json } = await send(`${nginx.url}${SEND}`, method, { body: { message: 'once' } });
    expect(requests().length).toBe(1);
    expect(status).toBe(502);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(json).toMatchObject({ type: 'about:blank', status: 502 });
  },
);

test('a POST that a replica refuses for its shutdown is sent to no other', async () => {
  for (const backend of backends) backend.answer = (response) => response.writeHead(503).end('{"code":"draining"}');
  for (const path of [SEND, `${SEND}/stream`]) {
    const { status, json } = await send(`${nginx.url}${path}`, 'POST', { body: {} });
    expect([status, json]).toEqual([503, { code: 'draining' }]);
  }
  expect(requests().length).toBe(2);
});

test('a read whose replica dies over it is answered by the other', async () => {
  backends[0].answer = (_response, request) => request.socket.destroy();
  expect((await send(`${nginx.url}/v1/sessions/s`, 'GET')).status).toBe(200);
  expect(requests().length).toBe(2);
});

test('a viewer whom a replica refuses for its shutdown gets the events from the other', async () => {
  backends[0].answer = (response) => response.writeHead(503).end();
  for (let i = 0; i < 10; i += 1) expect((await send(`${nginx.url}${EVENTS}`, 'GET')).status).toBe(200);
});

test('a replica that does not listen any more costs no request, whatever the method', async () => {
  await backends[0].close();
  const nobody = await startNginx([backends[1].url, `http://127.0.0.1:${await freePort()}`]);
  try {
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE', 'POST', 'GET']) {
      expect((await send(`${nobody.url}${SEND}`, method, { body: {} })).status).toBe(200);
    }
    expect(backends[1].requests.length).toBe(6);
    // It was tried, and then left alone.
    const tried = (await nobody.exchanges()).filter(({ to }) => to.length === 2);
    expect(tried.length).toBeGreaterThan(0);
    expect(tried.length).toBeLessThanOrEqual(3);
  } finally {
    await nobody[Symbol.asyncDispose]();
  }
});

test('the metrics of a replica cannot be read from outside', async () => {
  expect((await send(`${nginx.url}/metrics`, 'GET')).status).toBe(404);
  expect(requests()).toEqual([]);
});

test('proxy and service agree on how large a body may be, and say it alike', async () => {
  const emulator = await startEmulator({ chunkDelayMs: 0 });
  const service = await startService({ VERTEX_AI_EMULATOR_HOST: emulator.address, DEFAULT_MODEL: 'emulator' });
  const gateway = await startNginx([service.url]);
  try {
    const [direct, through] = [new Client(service.url), new Client(gateway.url)];
    const path = await through.session();
    const bodyOf = (bytes: number) => `{"message":"${'x'.repeat(bytes - '{"message":""}'.length)}"}`;
    const limit = 20 * 1024 ** 2;
    const largest = await through.post(`${path}/messages`, bodyOf(limit));
    expect(largest.json.code).not.toBe('payload_too_large');
    expect(largest.headers).toHaveProperty('turn-id');
    const answers = await Promise.all(
      [direct, through].map((client) => client.post(`${path}/messages`, bodyOf(limit + 1))),
    );
    const [own, proxied] = answers.map(({ status, headers, json: { instance: _instance, ...json } }) => {
      return { status, type: headers['content-type']?.split(';')[0], json };
    });
    expect(proxied).toEqual(own);
    expect(own?.status).toBe(413);
    expect((await gateway.exchanges()).filter(({ status }) => status === 413).map(({ to }) => to)).toEqual([['-']]);
    // The smaller limit of other operations is the service's alone.
    const small = await through.post(`${path}/turns/t/cancel`, bodyOf(1024 ** 2 + 1));
    expect([small.status, small.json.code]).toEqual([413, 'payload_too_large']);
    expect(small.json.instance).toContain('/cancel');
  } finally {
    await gateway[Symbol.asyncDispose]();
    await service.close();
    await emulator.close();
  }
});
