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
  update: load('update', 'seal', 'changes'),
  rewrap: load('rewrap'),
  rewind: load('rewind', 'changes'),
  choose: load('choose', 'seal', 'changes'),
  importMessages: load('import', 'seal', 'changes'),
  delete: load('delete'),
  recall: load('recall', 'seal'),
  begin: load('begin', 'seal', 'line'),
  leave: load('leave', 'seal', 'line'),
  letGo: load('let_go', 'line'),
  append: load('append', 'seal'),
  finish: load('finish', 'seal', 'usage'),
  renew: load('renew'),
  reap: load('reap', 'seal'),
  cancel: load('cancel'),
  touch: load('touch'),
  forget: load('forget'),
  count: load('count', 'usage'),
  admit: load('admit'),
  spend: load('spend'),
  take: load('take'),
  keep: load('keep'),
} as const satisfies Record<string, Script>;
