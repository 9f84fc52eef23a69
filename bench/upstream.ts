// A model that speaks at a steady pace: each chunk carries the time at which it was written. Own process.
// The newest question may ask for another pace: `[chunks:40] [every:500] [bytes:250]`.

import { createServer, type IncomingMessage } from 'node:http';

const CHUNKS = Number(process.argv[2] ?? 60);
const INTERVAL_MS = Number(process.argv[3] ?? 100);
const BYTES = 216;
const PADDING = 'lorem ipsum dolor sit amet ';

const server = createServer(async (request, response) => {
  response.on('error', () => undefined);
  const body = await read(request);
  if (body === undefined) return;
  const asked = (name: string, otherwise: number) =>
    Number(new RegExp(`\\[${name}:(\\d+)\\](?![\\s\\S]*\\[${name}:)`).exec(body)?.[1] ?? otherwise);
  const chunks = asked('chunks', CHUNKS);
  const padding = paddingOf(asked('bytes', BYTES));
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let sent = 0;
  const timer = setInterval(
    () => {
      sent += 1;
      const isLast = sent === chunks;
      const candidate = {
        content: { role: 'model', parts: [{ text: `@${performance.timeOrigin + performance.now()} ${padding}` }] },
        index: 0,
        ...(isLast ? { finishReason: 'STOP' } : {}),
      };
      response.write(`data: ${JSON.stringify({ candidates: [candidate] })}\r\n\r\n`);
      if (isLast) {
        clearInterval(timer);
        response.end();
      }
    },
    asked('every', INTERVAL_MS),
  );
  response.on('close', () => clearInterval(timer));
});

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

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
