// A model that speaks at a steady pace: each chunk carries the time at which it was written. Own process.

import { createServer } from 'node:http';

const CHUNKS = Number(process.argv[2] ?? 60);
const INTERVAL_MS = Number(process.argv[3] ?? 100);
const PADDING = 'lorem ipsum dolor sit amet '.repeat(8);

const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    const isLast = sent === CHUNKS;
    const candidate = {
      content: { role: 'model', parts: [{ text: `@${performance.timeOrigin + performance.now()} ${PADDING}` }] },
      index: 0,
      ...(isLast ? { finishReason: 'STOP' } : {}),
    };
    response.write(`data: ${JSON.stringify({ candidates: [candidate] })}\r\n\r\n`);
    if (isLast) {
      clearInterval(timer);
      response.end();
    }
  }, INTERVAL_MS);
  response.on('close', () => clearInterval(timer));
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
