// An HTTP proxy in front of the service, for what happens on the way: it sees every request, answers some itself, loses
// answers, and breaks streams.

import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestOf,
  type ServerResponse,
} from 'node:http';

export interface SeenRequest {
  readonly method: string;
  /** With the query, as it came. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** What becomes of one request; most are passed on. */
export type Fate =
  /** The proxy answers, and the service is not asked. */
  | { readonly kind: 'answer'; readonly status: number; readonly type: string; readonly body: string }
  /** The service is asked, and its answer does not arrive. */
  | { readonly kind: 'lose' }
  /** The request waits on the way. */
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  /** That the client has gone is told to the service so much later. */
  | { readonly kind: 'deaf'; readonly until: Promise<void> }
  /** The answer breaks after the first bytes that match: with a clean end, a reset, or by saying nothing any more. */
  | {
      readonly kind: 'break';
      readonly after: RegExp;
      readonly how: 'end' | 'reset' | 'silence';
      /** Whether the service sees the client go, too. */
      readonly isServiceTold: boolean;
    };

export interface HttpProxy extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  /** How many connections there were, open and closed. */
  readonly connections: number;
  /** How often this was asked for. */
  count(method: string, path: RegExp): number;
}

export interface HttpProxyRules {
  /** Stripped from the path, as a gateway does. */
  readonly prefix?: string;
  readonly fate?: (request: SeenRequest) => Fate | undefined;
}

export async function startHttpProxy(target: string, { prefix = '', fate }: HttpProxyRules = {}): Promise<HttpProxy> {
  const seen: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    const { method = '', url: path = '', headers } = incoming;
    const request = { method, path, headers };
    seen.push(request);
    response.on('error', () => undefined);
    if (!path.startsWith(prefix)) response.writeHead(404).end();
    else void pass(incoming, response, `${target}${path.slice(prefix.length)}`, fate?.(request));
  });
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}${prefix}`,
    seen,
    get connections() {
      return connections;
    },
    count: (method, path) => seen.filter((request) => request.method === method && path.test(request.path)).length,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function pass(
  incoming: IncomingMessage,
  response: ServerResponse,
  url: string,
  fate: Fate | undefined,
): Promise<void> {
  if (fate?.kind === 'answer') {
    incoming.resume();
    response.writeHead(fate.status, { 'content-type': fate.type }).end(fate.body);
    return;
  }
  if (fate?.kind === 'hold') await fate.until;
  const { host: _host, connection: _connection, ...headers } = incoming.headers;
  const outgoing = requestOf(url, { method: incoming.method, headers, agent: false });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
  const leave = async () => {
    if (fate?.kind === 'deaf') await fate.until;
    outgoing.destroy();
  };
  response.once('close', leave);
  outgoing.on('response', (answer) => {
    answer.on('error', () => response.destroy());
    if (fate?.kind === 'lose') {
      answer.resume().once('end', () => response.destroy());
      return;
    }
    const { 'transfer-encoding': _encoding, connection: _close, ...answerHeaders } = answer.headers;
    response.writeHead(answer.statusCode ?? 0, answerHeaders);
    if (fate?.kind !== 'break') {
      answer.pipe(response);
      return;
    }
    if (!fate.isServiceTold) response.off('close', leave);
    relayUntil(answer, response, fate);
  });
}

function relayUntil(answer: IncomingMessage, response: ServerResponse, fate: Fate & { kind: 'break' }): void {
  let text = '';
  let isBroken = false;
  answer.setEncoding('utf8').on('data', (piece: string) => {
    if (isBroken) return;
    text += piece;
    const found = fate.after.exec(text);
    if (!found) return;
    isBroken = true;
    // A prefix of the text, and not what happened to be in the same packet.
    response.write(text.slice(0, found.index + found[0].length), () => {
      if (fate.how === 'end') response.end();
      if (fate.how === 'reset') response.socket?.resetAndDestroy();
    });
  });
  // What was held back while nothing matched.
  answer.once('end', () => {
    if (!isBroken) response.end(text);
  });
}
