// The process: configuration, start, signals, end.

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { banner } from './banner.ts';
import { compose } from './compose.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';

/** Beyond the drain deadline: what is still open then is cut. */
const CLOSE_GRACE_MS = 4000;

/** Ctrl-C reaches the service behind `npm start` twice at once, from the terminal and from npm: one that comes later is meant. */
const IMPATIENT_MS = 1000;
/** Of who was ended by SIGINT, as shells count. */
const INTERRUPTED = 130;

/** Connections that come in one rush, after a restart of a gateway for one; the system may allow fewer (`net.core.somaxconn`). */
const BACKLOG = 4096;

/** A line of the log waits no longer for others. */
const LOG_FLUSH_MS = 100;

/** For the last lines of the log to leave. */
const LAST_LINES_MS = 200;

const config = readConfig();
// Lines leave together: a write for each would cost more than the line.
const logSink = pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: LOG_FLUSH_MS });
const logger = pino({ level: config.env.LOG_LEVEL, base: null, timestamp: pino.stdTimeFunctions.isoTime }, logSink);

// Whoever reads what is printed may go before the service does: no reason to end.
process.stdout.on('error', () => undefined);
process.on('uncaughtException', (error) => die('uncaught exception', error));
process.on('unhandledRejection', (error) => die('unhandled rejection', error));

const service = await compose(config, logger);
const url = await listen();
for (const name of config.ignored) logger.warn({ variable: name }, 'this variable is set and changes nothing');
process.stdout.write(banner(config, url));

let drainsSince: number | undefined;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // Until here a signal ended the process at once (scripts/require-node.js); from now on it drains.
  process.removeAllListeners(signal);
  process.on(signal, () => void signalled(signal));
}

/**
 * The first one drains, and further ones change nothing: they are delivered to whole process groups, and passed on by npm.
 * Only a person at a terminal who does not want to wait any longer is obeyed.
 */
async function signalled(signal: string): Promise<void> {
  const now = performance.now();
  drainsSince ??= now;
  if (drainsSince === now) await shutDown(signal);
  else if (signal === 'SIGINT' && now - drainsSince > IMPATIENT_MS) await exit(INTERRUPTED);
}

/** An address that is taken or forbidden is the operator's to mend: said by name, not as a crash. */
async function listen(): Promise<string> {
  const { HOST: host, PORT: port } = config.env;
  try {
    return await service.app.listen({ host, port, backlog: BACKLOG });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    process.stderr.write(`Cannot listen on HOST=${host} PORT=${port}: ${code}\n`);
    process.exit(1);
  }
}

async function shutDown(signal: string): Promise<void> {
  logger.info({ signal }, 'shutting down');
  const overdue = setTimeout(() => {
    logger.error('shutting down took too long');
    void exit(1);
  }, config.env.DRAIN_MS + CLOSE_GRACE_MS);
  await service.close();
  clearTimeout(overdue);
  logger.info('closed');
  await exit(0);
}

/**
 * Not before the log has taken its last lines, or refused them: what is left at `process.exit` is written again and
 * again, for ever when nobody reads the other end any more (sonic-boom 4.2, `flushSync`).
 */
async function exit(code: number): Promise<never> {
  const written = [once(logSink, 'drain'), once(logSink, 'error')].map((event) => event.catch(() => undefined));
  logSink.flush();
  await Promise.race([...written, delay(LAST_LINES_MS)]);
  process.exit(code);
}

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** A state that nobody has thought of: end, and let the orchestrator start a fresh process. */
function die(what: string, error: unknown): void {
  const { name, stack } = error instanceof Error ? error : { name: typeof error, stack: undefined };
  const at = stack?.split('\n').filter((line) => /^\s+at /.test(line));
  // Not `fatal`: that writes what is left before it returns, for which see `exit`.
  logger.error({ name, at }, what);
  void exit(1);
}
