// Files that messages name. The model fetches them with the service's own rights: only what the deployment has allowed.

import type { Part } from './content.ts';
import { invalidField } from './errors.ts';
import { spelling } from './spelling.ts';

/**
 * Refuses, with `invalid_argument`, files that the deployment has not allowed, wherever in a part they are named: also in the
 * parts of a function response. `allowed` holds buckets and hosts, or folders there (`gs://bucket`, `https://host/folder`).
 */
export function checkFileUris(parts: readonly Part[], allowed: readonly string[], path: string): void {
  parts.forEach((part, index) => {
    const at = emptyFileIn(part) ?? refusedIn(part, allowed);
    if (at !== undefined) throw invalidField(`${path}/${index}${at}`, 'names a file that this service may not use');
  });
}

const FILE_DATA = spelling('fileData');
const FILE_URI = spelling('fileUri');

/** As a member of a part it can be nothing but a file; further inside, it may be a function's own word for something else. */
function emptyFileIn(part: Part): string | undefined {
  const found = Object.entries(part).find(([name, file]) => spelling(name) === FILE_DATA && urisOf(file).length === 0);
  return found && `/${found[0]}`;
}

/** Where the first one is named; also in what a function was given or has answered, although that is plain data to the model. */
function refusedIn(value: unknown, allowed: readonly string[]): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const isRefused = spelling(name) === FILE_DATA && !urisOf(member).every((uri) => isAllowedUri(uri, allowed));
    const inside = isRefused ? '' : refusedIn(member, allowed);
    if (inside !== undefined) return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}${inside}`;
  }
  return undefined;
}

/** In both spellings at once, which of them counts is for the upstream to say. */
function urisOf(file: unknown): readonly unknown[] {
  if (Array.isArray(file)) return file.flatMap(urisOf);
  if (typeof file !== 'object' || file === null) return [];
  return Object.entries(file).flatMap(([name, uri]) => (spelling(name) === FILE_URI ? [uri] : []));
}

/** Compared as text, with scheme and host in lower case: whoever fetches it must not read another place in it. */
export function isAllowedUri(uri: unknown, allowed: readonly string[]): boolean {
  if (typeof uri !== 'string') return false;
  return !MISREAD.test(uri) && allowed.some((place) => uri.startsWith(`${place.replace(/\/+$/, '')}/`));
}

/**
 * What some reader drops (control characters, line separators, white space at the ends), takes for a slash (a backslash),
 * folds away with the folder before it (`.` and `..`, also before a matrix parameter or a space, also escaped), or finds after decoding
 * twice.
 */
const MISREAD =
  /^\s|\s$|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]|(?:\/|%2f|%5c)(?:\.|%2e){1,2}(?:[/;?#\s]|%2f|%5c|%3b|%20|$)|%(?:25)+(?:2e|2f|5c)|%(?:[01][0-9a-f]|7f)/iu;
