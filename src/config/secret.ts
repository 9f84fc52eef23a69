// Values that are better kept in files than in the environment, which every child process and every crash report sees.

import { readFileSync } from 'node:fs';
import type { Environment } from './environment.ts';

type SecretName = 'REDIS_USERNAME' | 'REDIS_PASSWORD' | 'REDIS_SENTINEL_PASSWORD' | 'GATEWAY_SECRET';

/** The file wins. What is wrong is added to `problems`, named by its variable. */
export function secret(name: SecretName, env: Environment, problems: string[]): string | undefined {
  const file = env[`${name}_FILE`];
  if (file === undefined) return env[name];
  return readFile(`${name}_FILE`, file, problems)?.trim();
}

export function readFile(name: string, path: string, problems: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    problems.push(`${name}: the file ${path} cannot be read`);
    return undefined;
  }
}
