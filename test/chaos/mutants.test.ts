// The defects that chaos has to see still fit the sources: a run with one that does not would see nothing, for no reason.

import { expect, test } from 'vitest';
import { MUTANTS } from '../../chaos/mutants.ts';
import { patched, readSource } from '../../chaos/mutated-copy.ts';

test.each(MUTANTS)('“$name” can be made', async ({ patches }) => {
  const sources = new Map<string, string>();
  for (const patch of patches) {
    const source = sources.get(patch.file) ?? (await readSource(patch));
    sources.set(patch.file, patched(source, patch));
  }
  expect(sources.size).toBeGreaterThan(0);
});

test('a defect that does not fit is refused', () => {
  const patch = { file: 'a.lua', from: 'return', to: '' };
  expect(() => patched('local a', patch)).toThrow('has no “return” any more');
  expect(() => patched('return return', patch)).toThrow('2 times');
  expect(patched('do return end', patch)).toBe('do  end');
});
