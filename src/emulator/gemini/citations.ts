// The citationMetadata of an answer that quotes. The two APIs name its list and its fields differently.
import type { JsonObject } from '../json.ts';
import type { Api } from '../route.ts';

export function citationsOf(api: Api): JsonObject {
  // Proto JSON leaves out a zero: the first one has no startIndex.
  const first = { endIndex: 40, uri: 'https://example.com/emulated/source', license: 'mit' };
  const second = { startIndex: 42, endIndex: 80, uri: 'https://example.org/emulated/other' };
  if (api === 'developer') return { citationSources: [first, second] };
  const publicationDate = { year: 2026, month: 5, day: 10 };
  return {
    citations: [
      { ...first, title: 'An emulated source' },
      { ...second, publicationDate },
    ],
  };
}
