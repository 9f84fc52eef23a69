// A model under the test's control: a real HTTP server whose answers are scripts over the raw response.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface UpstreamCall {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The model's id, from the path. */
  readonly model: string;
  readonly isStream: boolean;
  /** Resolves when the client has gone before the answer was complete. */
  readonly aborted: Promise<void>;
}

/** What it returns is awaited. */
export type Script = (response: ServerResponse, call: UpstreamCall) => unknown;

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  readonly address: string;
  readonly calls: readonly UpstreamCall[];
  readonly openSockets: number;
  /** How many connections there were, open and closed. */
  readonly connections: number;
  close(): Promise<void>;
}

export async function startUpstream(script: Script): Promise<Upstream> {
  const calls: UpstreamCall[] = [];
  let openSockets = 0;
  let connections = 0;
  const server = createServer(async (request, response) => {
    // A client that has gone is for the script to find out, not an error of the server.
    response.on('error', () => undefined);
    const body = await readBody(request);
    if (body === undefined) return;
    const aborted = Promise.withResolvers<void>();
    response.once('close', () => {
      if (!response.writableFinished) aborted.resolve();
    });
    const [, model = '', method = ''] = /\/models\/([^/:]+):(\w+)/.exec(request.url ?? '') ?? [];
    const call = {
      url: request.url ?? '',
      headers: request.headers,
      body,
      model: decodeURIComponent(model),
      isStream: method === 'streamGenerateContent',
      aborted: aborted.promise,
    };
    calls.push(call);
    await script(response, call);
  });
  server.on('connection', (socket) => {
    openSockets += 1;
    connections += 1;
    socket.once('close', () => {
      openSockets -= 1;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    calls,
    get openSockets() {
      return openSockets;
    },
    get connections() {
      return connections;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** `undefined` when the client went before it had said everything. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of request) pieces.push(piece as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** One response of the wire with text in it. */
export function said(text: string, finishReason?: string): object {
  const candidate = { content: { role: 'model', parts: [{ text }] }, index: 0 };
  return { candidates: [finishReason ? { ...candidate, finishReason } : candidate] };
}

export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\r\n\r\n`;
}

export function asStream(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'text/event-stream' });
}

export function asJson(response: ServerResponse, status: number, value: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

/** A plain answer on either way of asking. */
export function answer(response: ServerResponse, call: UpstreamCall, text: string): void {
  if (call.isStream) asStream(response).end(event(said(text, 'STOP')));
  else asJson(response, 200, said(text, 'STOP'));
}
