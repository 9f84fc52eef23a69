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
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly type: string;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection breaks, and the service is not asked. */
  | { readonly kind: 'drop' }
  /** The service is asked, and its answer does not arrive: the connection breaks at its end, or where it begins. */
  | { readonly kind: 'lose'; readonly at?: 'end' | 'headers' }
  /** The connection breaks, and the service is asked all the same, so much later. */
  | { readonly kind: 'late'; readonly until: Promise<void>; readonly onAnswer: (status: number | undefined) => void }
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

/** A load balancer may send every request elsewhere. */
export type Target = string | (() => string);

export async function startHttpProxy(target: Target, { prefix = '', fate }: HttpProxyRules = {}): Promise<HttpProxy> {
  const seen: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    const { method = '', url: path = '', headers } = incoming;
    const request = { method, path, headers };
    seen.push(request);
    response.on('error', () => undefined);
    const base = typeof target === 'string' ? target : target();
    if (path.startsWith(prefix)) void pass(incoming, response, `${base}${path.slice(prefix.length)}`, fate?.(request));
    else response.writeHead(404).end();
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
    response.writeHead(fate.status, { 'content-type': fate.type, ...fate.headers }).end(fate.body);
    return;
  }
  if (fate?.kind === 'drop') {
    response.destroy();
    return;
  }
  if (fate?.kind === 'late') {
    await passLate(incoming, response, url, fate);
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
      if (fate.at === 'headers') response.destroy();
      else answer.resume().once('end', () => response.destroy());
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

async function passLate(
  incoming: IncomingMessage,
  response: ServerResponse,
  url: string,
  { until, onAnswer }: Fate & { kind: 'late' },
): Promise<void> {
  const { method, headers } = incoming;
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  response.destroy();
  await until;
  const outgoing = requestOf(url, { method, headers: { ...headers, connection: 'close' }, agent: false });
  outgoing.on('error', () => undefined);
  outgoing.on('response', (answer) => {
    answer.on('error', () => undefined).once('end', () => onAnswer(answer.statusCode));
    answer.resume();
  });
  outgoing.end(Buffer.concat(pieces));
}

function relayUntil(answer: IncomingMessage, response: ServerResponse, fate: Fate & { kind: 'break' }): void {
  let text = '';
  let isBroken = false;
  answer.setEncoding('utf8').on('data', (piece: string) => {
    if (isBroken) return;
    const told = text.length;
    text += piece;
    const found = fate.after.exec(text);
    isBroken = found !== null;
    // Up to the match, and not what happened to be in the same packet.
    const end = found ? found.index + found[0].length : text.length;
    response.write(text.slice(told, end), () => {
      if (found && fate.how === 'end') response.end();
      if (found && fate.how === 'reset') response.socket?.resetAndDestroy();
    });
  });
  answer.once('end', () => {
    if (!isBroken) response.end();
  });
}
