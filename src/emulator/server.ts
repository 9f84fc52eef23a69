// A stand-in for Vertex AI and the Gemini Developer API on plain HTTP, for the demo, the tests and the benchmark. It answers
// deterministically, refuses what Vertex refuses, and fails on request (faults.ts).
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { answerExchange } from './exchange.ts';

export type EmulatorOptions = { readonly host?: string; readonly port?: number; readonly chunkDelayMs?: number };

export type Emulator = {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as `VERTEX_AI_EMULATOR_HOST` wants it. */
  readonly address: string;
  /** Ends every open answer and stops listening. Calling it again changes nothing. */
  close(): Promise<void>;
};

const DEFAULT_CHUNK_DELAY_MS = 25;
const REMEMBERED_TEXTS_MAX = 1000;

/** Resolves when it listens. Port 0 means any free one. Fails when the port is taken. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { host = '127.0.0.1', port = 0, chunkDelayMs = DEFAULT_CHUNK_DELAY_MS } = options;
  const isFirst = rememberFirsts();
  const server = createServer((request, response) => {
    // A client that goes while it is being answered is no error here; it ends the exchange.
    response.on('error', () => response.destroy());
    void answerExchange(request, response, { chunkDelayMs, isFirst });
  });
  server.listen(port, host);
  await once(server, 'listening');
  const bound = portOf(server);
  let closed: Promise<void> | undefined;
  return {
    host,
    port: bound,
    address: `${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () => {
      closed ??= closeServer(server);
      return closed;
    },
  };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  // Every wait of an exchange ends with its connection, so no timer outlives this.
  server.closeAllConnections();
  await closed;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the emulator listens on a port');
  return address.port;
}

function rememberFirsts(): (text: string) => boolean {
  const met = new Set<string>();
  return (text) => {
    if (met.has(text)) return false;
    met.add(text);
    const [oldest] = met;
    if (met.size > REMEMBERED_TEXTS_MAX && oldest !== undefined) met.delete(oldest);
    return true;
  };
}
