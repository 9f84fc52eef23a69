// Citations of a streamed answer: every chunk brings those of its own text, some of them again.

import type { Citation } from './language-model.ts';

/** All citations so far, each once, in the order in which they came. */
export function joinCitations(before: readonly Citation[], said: readonly Citation[]): readonly Citation[] {
  const known = new Set(before.map((citation) => JSON.stringify(citation)));
  return [...before, ...said.filter((citation) => !known.has(JSON.stringify(citation)))];
}
