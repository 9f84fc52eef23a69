// A reference: the least that a proxy on undici does. Every read from the model is one write to the client. Own process.

import { createServer, type ServerResponse } from 'node:http';
import { Agent, type Dispatcher } from 'undici';

const [modelPort = ''] = process.argv.slice(2);
const agent = new Agent({ connections: 20_000, pipelining: 1, allowH2: false, headersTimeout: 0, bodyTimeout: 0 });
const origin = `http://127.0.0.1:${modelPort}`;

class Passage implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#response.on('close', () => {
      if (!this.#response.writableFinished) controller.abort(new Error('the client has gone'));
    });
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#response.writeHead(status, { 'content-type': 'text/event-stream' });
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#response.write(bytes)) return;
    controller.pause();
    this.#response.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    this.#response.destroy();
  }
}

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const path = request.url ?? '/';
    const headers = { 'content-type': 'application/json' };
    agent.dispatch({ origin, path, method: 'POST', headers, body: Buffer.concat(pieces) }, new Passage(response));
  });
});

server.keepAliveTimeout = 120_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
