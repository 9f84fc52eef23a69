// The user of deploy/redis-users.acl, who may do in Redis what the service does and nothing else, for the keys of tests.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const FILE = new URL('../../deploy/redis-users.acl', import.meta.url);

export const REDIS_USER = { username: 'csp', password: 'only for tests' } as const;

/** The file for this prefix, with the password put in as docs/operations.md says. */
export function usersFile(prefix: string): string {
  const hash = createHash('sha256').update(REDIS_USER.password).digest('hex');
  return readFileSync(FILE, 'utf8')
    .replace(/^user csp off /m, `user csp on #${hash} `)
    .replace(' ~csp:* ', ` ~${prefix}* `)
    .replace(' &csp:* ', ` &${prefix}* `);
}

/** Makes the user on a server that is used by others, too. `prefix` may stand for many. */
export async function addUser(server: Redis, prefix: string): Promise<void> {
  const rules = /^user csp (.*)$/m.exec(usersFile(prefix))?.[1];
  if (rules === undefined) throw new Error('deploy/redis-users.acl has no user csp');
  await server.call('ACL', 'SETUSER', REDIS_USER.username, 'reset', ...rules.split(' '));
}

/** What Redis has refused to the user: `command` and the like, with its object. Forgets it, too. */
export async function refusedTo(server: Redis): Promise<readonly string[]> {
  const entries = (await server.call('ACL', 'LOG')) as unknown[][];
  await server.call('ACL', 'LOG', 'RESET');
  return entries.map((entry) => {
    const fact = (name: string) => String(entry[entry.indexOf(name) + 1]);
    return `${fact('reason')} ${fact('object')} of ${fact('username')}`;
  });
}
