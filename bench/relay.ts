// The reference: the least that any proxy does. Bytes go from the upstream to the client, nothing is read, kept or made.
// Own process.

import { createServer, request as open } from 'node:http';

const upstreamPort = Number(process.argv[2]);

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    open(
      { port: upstreamPort, host: '127.0.0.1', method: 'POST', path: '/models/relay:streamGenerateContent' },
      (answer) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        answer.pipe(response);
      },
    ).end('{}');
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
