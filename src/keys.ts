// npm run keys -- create | list | revoke: the API keys of a service with AUTH=api-key, in its file or in its Redis.

import { parseArgs } from 'node:util';
import { failureText } from './command-failure.ts';
import { openApiKeyStore } from './compose/identity.ts';
import { loadKeyPlace } from './config.ts';
import { type ApiKeyStore, type KeyWish, keyId, newKey } from './identity/api-key-store.ts';
import { isOwner, type Scope } from './identity/identity.ts';

const USAGE = `Usage: npm run keys -- <command>

  create --owner NAME [--scopes chat|read] [--expires-in 90d]   makes a key, and shows it this once
  list [--owner NAME]                                           all keys, without what would open the door
  revoke ID | --owner NAME                                      one key by its id, or all of an owner

Where the keys are: --file FILE, or API_KEYS_FILE, or the Redis of the service (REDIS_URL and its like).
`;

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const YEARS_MAX = 100;

class UsageError extends Error {}

const { values, positionals } = readArguments();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
try {
  const store = await openApiKeyStore(values.file === undefined ? loadKeyPlace() : { file: values.file });
  try {
    await run(store);
  } finally {
    store.close();
  }
} catch (error) {
  const text = failureText(error);
  fail(error instanceof UsageError ? `${text}\n\n${USAGE}` : text);
}

async function run(store: ApiKeyStore): Promise<void> {
  const [command, id, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`Nothing is known of ${rest.join(' ')}.`);
  if (command === 'create' && id === undefined) await create(store);
  else if (command === 'list' && id === undefined) await list(store);
  else if (command === 'revoke') await revoke(store, id);
  else
    throw new UsageError(
      command === undefined ? 'What is to be done?' : `Nothing is known of ${positionals.join(' ')}.`,
    );
}

async function create(store: ApiKeyStore): Promise<void> {
  const { key, kept } = newKey(readWish(), Date.now());
  await store.add(kept);
  // The key alone goes to stdout, so that it can be piped to where it is needed.
  process.stderr.write(`id ${keyId(kept)}, owner ${JSON.stringify(kept.owner)}; the key is not shown again:\n`);
  process.stdout.write(`${key}\n`);
}

async function list(store: ApiKeyStore): Promise<void> {
  const keys = (await store.list()).filter(({ owner }) => values.owner === undefined || owner === values.owner);
  const sorted = keys.toSorted((a, b) => a.owner.localeCompare(b.owner) || a.sha256.localeCompare(b.sha256));
  const rows = sorted.map((key) => {
    const { owner, scopes = ['chat'], createTime = '-', expireTime = '-' } = key;
    return [keyId(key), scopes.join(','), createTime, expireTime, JSON.stringify(owner)].join('\t');
  });
  process.stdout.write(`${[['id', 'scopes', 'created', 'expires', 'owner'].join('\t'), ...rows].join('\n')}\n`);
}

async function revoke(store: ApiKeyStore, id: string | undefined): Promise<void> {
  const { owner } = values;
  if ((id === undefined) === (owner === undefined)) throw new UsageError('revoke takes the id of a key, or --owner.');
  // An empty one, of a variable that is not set, would be the beginning of every key.
  if (id !== undefined && !/^[0-9a-f]{6,64}$/.test(id))
    throw new UsageError('An id has at least 6 digits, as list shows it.');
  const matches = (await store.list()).filter((key) =>
    id === undefined ? key.owner === owner : key.sha256.startsWith(id),
  );
  if (matches.length === 0) throw new Error('There is no such key.');
  if (id !== undefined && matches.length > 1)
    throw new Error(`${matches.length} keys begin like this: say more of the id.`);
  await store.remove(matches.map(({ sha256 }) => sha256));
  for (const key of matches) process.stdout.write(`revoked ${keyId(key)}, owner ${JSON.stringify(key.owner)}\n`);
}

function readWish(): KeyWish {
  const { owner, scopes, 'expires-in': expiresIn } = values;
  if (!isOwner(owner)) throw new UsageError('--owner is missing, or longer than 512 characters.');
  const words = scopes?.split(',').map((word) => word.trim());
  const isScope = (word: string): word is Scope => word === 'chat' || word === 'read';
  if (words && !words.every(isScope)) throw new UsageError('--scopes is chat, read, or chat,read.');
  const expireTime =
    expiresIn === undefined ? {} : { expireTime: new Date(Date.now() + spanMs(expiresIn)).toISOString() };
  return { owner, ...(words ? { scopes: words } : {}), ...expireTime };
}

function spanMs(text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS[unit] ?? 0);
  if (ms > 0 && ms <= YEARS_MAX * 365 * 86_400_000) return ms;
  throw new UsageError('--expires-in is a time such as 30m, 12h or 90d.');
}

function readArguments() {
  const text = { type: 'string' } as const;
  try {
    const options = { owner: text, scopes: text, 'expires-in': text, file: text, help: { type: 'boolean' } as const };
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
