// A model that says what it is asked to, at the pace it is asked for: `[chunks:64] [every:20] [bytes:250]` in the newest
// question; with `[ready:8]` the first eight come at once. Each event carries the time at which it was written. Speaks the
// Gemini wire, streamed and unary. Own process.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const CHUNKS = Number(process.argv[2] ?? 60);
const INTERVAL_MS = Number(process.argv[3] ?? 100);
const BYTES = 216;
const PADDING = 'lorem ipsum dolor sit amet ';

const USAGE = { promptTokenCount: 8, candidatesTokenCount: 64, totalTokenCount: 72 };

const server = createServer(async (request, response) => {
  response.on('error', () => undefined);
  const body = await read(request);
  if (body === undefined) return;
  const chunks = asked(body, 'chunks', CHUNKS);
  const everyMs = asked(body, 'every', INTERVAL_MS);
  const padding = paddingOf(asked(body, 'bytes', BYTES));
  const isStream = request.url?.includes(':streamGenerateContent') ?? false;
  if (!isStream) return answer(response, eventOf(padding.repeat(chunks), true));
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (everyMs === 0) {
    // All in one write, as a model does whose answer was ready.
    response.end(framesOf(chunks, padding, true));
    return;
  }
  let sent = Math.min(asked(body, 'ready', 0), chunks - 1);
  if (sent > 0) response.write(framesOf(sent, padding, false));
  const timer = setInterval(() => {
    sent += 1;
    const isLast = sent === chunks;
    response.write(frameOf(padding, isLast));
    if (!isLast) return;
    clearInterval(timer);
    response.end();
  }, everyMs);
  response.on('close', () => clearInterval(timer));
});

/** A request may repeat what was asked before: the last word counts. */
function asked(body: string, name: string, otherwise: number): number {
  const at = body.lastIndexOf(`[${name}:`);
  return at === -1 ? otherwise : Number.parseInt(body.slice(at + name.length + 2), 10);
}

function answer(response: ServerResponse, json: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) });
  response.end(json);
}

function framesOf(count: number, padding: string, isEnd: boolean): string {
  return Array.from({ length: count }, (_, at) => frameOf(padding, isEnd && at === count - 1)).join('');
}

function frameOf(padding: string, isLast: boolean): string {
  return `data: ${eventOf(padding, isLast)}\r\n\r\n`;
}

function eventOf(padding: string, isLast: boolean): string {
  const parts = [{ text: `@${performance.timeOrigin + performance.now()} ${padding}` }];
  const candidate = { content: { role: 'model', parts }, index: 0, ...(isLast ? { finishReason: 'STOP' } : {}) };
  return JSON.stringify({ candidates: [candidate], ...(isLast ? { usageMetadata: USAGE } : {}) });
}

/** `undefined` when the client went before it had said everything. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  try {
    return Buffer.concat(await request.toArray()).toString('utf8');
  } catch {
    return undefined;
  }
}

function paddingOf(bytes: number): string {
  return PADDING.repeat(Math.ceil(bytes / PADDING.length)).slice(0, bytes);
}

// Many connections come at once.
server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
server.keepAliveTimeout = 120_000;
