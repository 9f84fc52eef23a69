// What package-lock.json says: all packages, and those that the service needs to run.

import { readFileSync } from 'node:fs';

export interface LockEntry {
  readonly version: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export interface LockFile {
  readonly name: string;
  /** By the folder that each is installed in; the project itself is `''`. */
  readonly packages: Readonly<Record<string, LockEntry>>;
}

export interface LockedPackage extends LockEntry {
  readonly name: string;
}

const root = new URL('../', import.meta.url);

export function readLockFile(): LockFile {
  return JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as LockFile;
}

/** The project itself is none of them. */
export function lockedPackages({ packages }: LockFile): readonly LockedPackage[] {
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({
      ...entry,
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    }));
}

export function isForProduction({ dev, devOptional }: LockEntry): boolean {
  return !dev && !devOptional;
}
