// The Lua commands, one file each, read once at start.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
}

const prelude = read('prelude');

function read(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}

/** `parts` are put before the script, as the prelude is before all of them. */
function load(name: string, ...parts: readonly string[]): Script {
  const lua = [prelude, ...parts.map(read), read(name)].join('\n');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}

export const SCRIPTS = {
  create: load('create'),
  read: load('read'),
  update: load('update', 'changes'),
  rewind: load('rewind', 'changes'),
  choose: load('choose', 'changes'),
  importMessages: load('import', 'changes'),
  delete: load('delete'),
  recall: load('recall'),
  begin: load('begin', 'line'),
  leave: load('leave', 'line'),
  letGo: load('let_go', 'line'),
  append: load('append'),
  finish: load('finish', 'usage'),
  renew: load('renew'),
  reap: load('reap'),
  cancel: load('cancel'),
  touch: load('touch'),
  forget: load('forget'),
  count: load('count', 'usage'),
  admit: load('admit'),
  spend: load('spend'),
  take: load('take'),
  keep: load('keep'),
} as const satisfies Record<string, Script>;
