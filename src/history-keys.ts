// npm run history-keys -- create | status | rewrap: the keys of HISTORY_KEYS_FILE, and what is wrapped with which.

import { parseArgs } from 'node:util';
import { failureText } from './command-failure.ts';
import { type SealedSessions, walkSealed } from './compose/sealed-sessions.ts';
import { addHistoryKey } from './config/added-key.ts';
import { HistoryKeysError } from './config/history-keys.ts';
import { ConfigError, historyKeysPath, loadSealedRedis } from './config.ts';

const USAGE = `Usage: npm run history-keys -- <command>

  create [--id ID] [--current] [--file FILE]   a new random key in the file (HISTORY_KEYS_FILE), which is made when it is
                                               not there; --current: it wraps new sessions from now on
  status                                       how many sessions in Redis are wrapped with which key
  rewrap                                       wraps all of them with the current key
`;

process.exitCode = await run();

async function run(): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        id: { type: 'string' },
        current: { type: 'boolean' },
        file: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    switch (positionals.join(' ')) {
      case 'create':
        return await create(values);
      case 'status':
      case 'rewrap':
        return await walk(positionals[0] === 'rewrap');
      default:
        return fail(USAGE);
    }
  } catch (error) {
    const text = failureText(error);
    if (error instanceof ConfigError || error instanceof HistoryKeysError) return fail(text);
    const isOfArguments = error instanceof TypeError && 'code' in error;
    return fail(isOfArguments ? `${text}\n\n${USAGE}` : `Failed: ${text}`);
  }
}

async function create(given: {
  readonly id?: string;
  readonly current?: boolean;
  readonly file?: string;
}): Promise<number> {
  const path = given.file ?? historyKeysPath();
  if (path === undefined) return fail('HISTORY_KEYS_FILE is missing, and no --file is named');
  const { id, current } = await addHistoryKey(path, { id: given.id, isCurrent: given.current === true });
  say(`${id} is in ${path}. The current key is ${current}.`);
  return 0;
}

async function walk(isToRewrap: boolean): Promise<number> {
  const redis = loadSealedRedis();
  const sessions = await walkSealed(redis, isToRewrap);
  if (isToRewrap) say(`rewrapped: ${sessions.rewrapped}`);
  for (const line of reportOf(sessions, redis.historyKeys.current)) say(line);
  return sessions.unreadable.length + sessions.plain > 0 ? 1 : 0;
}

function reportOf({ byKey, plain, unreadable }: SealedSessions, current: string): readonly string[] {
  const useOf = (id: string, sessions: number) => {
    if (id === current) return ' (current)';
    return sessions === 0 ? ' (not in use: it may be removed, see docs/encryption.md)' : '';
  };
  return [
    ...unreadable.map((session) => `unreadable: ${session}`),
    ...[...byKey].map(([id, sessions]) => `${id}: ${sessions} sessions${useOf(id, sessions)}`),
    ...(unreadable.length > 0 ? [`unreadable: ${unreadable.length} sessions`] : []),
    ...(plain > 0
      ? [`not sealed: ${plain} sessions, which the service answers with an error while HISTORY_KEYS_FILE is set`]
      : []),
  ];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(text: string): number {
  process.stderr.write(`${text.trimEnd()}\n`);
  return 1;
}
