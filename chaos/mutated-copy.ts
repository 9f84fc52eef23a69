// A copy of what a run of chaos needs, with a defect in it. The project itself is never touched.

import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant, Patch } from './mutants.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const NEEDED = ['src', 'chaos', 'scripts', 'test/support', 'openapi.yaml', 'package.json'];

/** Fails when a defect does not fit the sources any more. */
export async function copyWith(mutant: Mutant, folder: string): Promise<void> {
  for (const path of NEEDED) await cp(join(root, path), join(folder, path), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const patch of mutant.patches) {
    const path = join(folder, patch.file);
    await writeFile(path, patched(await readFile(path, 'utf8'), patch));
  }
}

export function readSource({ file }: Patch): Promise<string> {
  return readFile(join(root, file), 'utf8');
}

export function patched(source: string, { file, from, to }: Patch): string {
  const [before, after, ...more] = source.split(from);
  if (before === undefined || after === undefined) throw new Error(`${file} has no “${from}” any more`);
  if (more.length > 0) throw new Error(`${file} has “${from}” ${more.length + 1} times`);
  return before + to + after;
}
