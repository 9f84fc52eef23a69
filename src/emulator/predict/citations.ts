// The citations of an answer that quotes: unlike Gemini's they have a `url`, and a date that is a string.
import type { JsonObject } from '../json.ts';

export const CITATIONS: readonly JsonObject[] = [
  {
    startIndex: 0,
    endIndex: 40,
    url: 'https://example.com/emulated/source',
    title: 'An emulated source',
    license: 'mit',
  },
  { startIndex: 42, endIndex: 80, url: 'https://example.org/emulated/other', publicationDate: '2026-05-10' },
];
