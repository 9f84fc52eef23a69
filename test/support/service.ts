// The whole service in this process, on a free port, with its log lines in memory.

import { Writable } from 'node:stream';
import { pino } from 'pino';
import { compose, type Service } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { keysOfRun } from './history-keys.ts';
import { withTestIdentity } from './test-identity.ts';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

export interface RunningService extends AsyncDisposable {
  readonly url: string;
  readonly app: Service['app'];
  /** Every line that was logged, as text. */
  readonly log: () => string;
  /** The same, parsed. */
  readonly logged: () => readonly LogLine[];
  /** As SIGTERM does: drains, then closes everything. */
  close(): Promise<void>;
}

/** `env` is the whole environment: nothing leaks in from the machine. */
export async function startService(env: Readonly<Record<string, string>> = {}): Promise<RunningService> {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const config = loadConfig(withTestIdentity({ PORT: '0', DRAIN_MS: '2000', ...keysOfRun(), ...env }));
  const service = await compose(config, pino({ level: 'info', base: null }, sink));
  const url = await service.app.listen({ host: '127.0.0.1', port: 0 });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= service.close();
    return closing;
  };
  const log = () => lines.join('');
  const logged = () =>
    log()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { url, app: service.app, log, logged, close, [Symbol.asyncDispose]: close };
}
