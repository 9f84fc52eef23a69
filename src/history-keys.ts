// The command over history keys: a new one, which of them are in use, and all sessions wrapped with the current one.

import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RedisSeals } from './adapters/redis/redis-seals.ts';
import { KeyRing } from './adapters/sealed/key-ring.ts';
import { Unreadable } from './adapters/sealed/sealer.ts';
import { unwrapKey, wrapAnew, wrappingKeyId } from './adapters/sealed/wrapped-key.ts';
import type { Seal } from './chat/seal.ts';
import { addHistoryKey } from './config/added-key.ts';
import { HistoryKeysError } from './config/history-keys.ts';
import { ConfigError, historyKeysPath, loadSealedRedis, type SealedRedis } from './config.ts';

const USAGE = `Usage: npm run history-keys -- COMMAND

  create [--id ID] [--current] [--file FILE]   a new random key in the file (HISTORY_KEYS_FILE); the file is made when
                                               it is not there. --current: new sessions are wrapped with it from now on
  status                                       how many sessions in Redis are wrapped with which key
  rewrap                                       wraps all of them with the current key
`;

/** A Redis that is not there yet is asked again for so long. */
const CONNECT_MS = 5000;

process.exitCode = await run();

async function run(): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { id: { type: 'string' }, current: { type: 'boolean' }, file: { type: 'string' } },
    });
    switch (positionals.join(' ')) {
      case 'create':
        return create(values);
      case 'status':
        return await overSessions(loadSealedRedis(), false);
      case 'rewrap':
        return await overSessions(loadSealedRedis(), true);
      default:
        return fail(USAGE);
    }
  } catch (error) {
    if (error instanceof ConfigError || error instanceof HistoryKeysError) return fail(error.message);
    const isOfArguments = error instanceof TypeError && 'code' in error;
    return fail(
      isOfArguments ? `${error.message}\n\n${USAGE}` : `Failed: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function create(given: { readonly id?: string; readonly current?: boolean; readonly file?: string }): number {
  const path = given.file ?? historyKeysPath();
  if (path === undefined) return fail('HISTORY_KEYS_FILE is missing, and no --file is named');
  const { id, current } = addHistoryKey(path, { id: given.id, isCurrent: given.current === true });
  say(`${id} is in ${path}. The current key is ${current}.`);
  return 0;
}

/** Sessions by the key that wraps their own, as it is in the end. */
interface Count {
  readonly byKey: Map<string, number>;
  plain: number;
  unreadable: number;
  rewrapped: number;
}

async function overSessions({ redis, historyKeys }: SealedRedis, isToRewrap: boolean): Promise<number> {
  const ring = new KeyRing(historyKeys);
  const seals = new RedisSeals(redis, () => undefined);
  const count: Count = { byKey: new Map(), plain: 0, unreadable: 0, rewrapped: 0 };
  try {
    await connected(seals);
    for await (const { address, seal } of seals.all()) {
      if (!seal) count.plain += 1;
      else await take(address, seal, { seals, ring, count, isToRewrap });
    }
  } finally {
    seals.close();
  }
  report(count, ring, [...historyKeys.keys.keys()], isToRewrap);
  return count.unreadable + count.plain > 0 ? 1 : 0;
}

interface Walk {
  readonly seals: RedisSeals;
  readonly ring: KeyRing;
  readonly count: Count;
  readonly isToRewrap: boolean;
}

async function take(address: string, seal: Seal, { seals, ring, count, isToRewrap }: Walk): Promise<void> {
  try {
    let id = wrappingKeyId(seal.wrappedKey);
    unwrapKey(ring, address, seal).fill(0);
    if (isToRewrap && id !== ring.current.id && (await seals.rewrap(address, wrapAnew(ring, address, seal)))) {
      count.rewrapped += 1;
      id = ring.current.id;
    }
    count.byKey.set(id ?? '', (count.byKey.get(id ?? '') ?? 0) + 1);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    count.unreadable += 1;
    say(`unreadable: {${address}}: its key ${error.reason}`);
  }
}

function report(
  { byKey, plain, unreadable, rewrapped }: Count,
  { current }: KeyRing,
  ids: readonly string[],
  isToRewrap: boolean,
): void {
  if (isToRewrap) say(`rewrapped: ${rewrapped}`);
  for (const id of ids) {
    const sessions = byKey.get(id) ?? 0;
    const use =
      id === current.id
        ? ' (current)'
        : sessions === 0
          ? ' (not in use: it may be removed, see docs/encryption.md)'
          : '';
    say(`${id}: ${sessions} sessions${use}`);
  }
  if (unreadable > 0) say(`unreadable: ${unreadable} sessions`);
  if (plain > 0)
    say(`not sealed: ${plain} sessions, which the service answers with an error while HISTORY_KEYS_FILE is set`);
}

/** Fails with `store_unavailable`. */
async function connected(seals: RedisSeals): Promise<void> {
  const deadline = performance.now() + CONNECT_MS;
  for (;;) {
    try {
      return await seals.ping();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(100);
    }
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(text: string): number {
  process.stderr.write(`${text.trimEnd()}\n`);
  return 1;
}
