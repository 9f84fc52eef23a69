// A reference: the least that any proxy on node:http does. Bytes go from the model to the client, nothing is read, kept or
// made. Own process.

import { Agent, createServer, request as open } from 'node:http';

const [modelPort = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

const server = createServer((request, response) => {
  const { method, url } = request;
  const headers = { 'content-type': 'application/json' };
  const call = open({ host: '127.0.0.1', port: modelPort, method, path: url, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] });
    answer.pipe(response);
  });
  call.on('error', () => response.destroy());
  response.on('close', () => call.destroy());
  request.pipe(call);
});

server.keepAliveTimeout = 120_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
