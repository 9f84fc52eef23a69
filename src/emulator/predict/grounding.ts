// The groundingMetadata of an answer that says it searched. Sources are invented; the offsets, which count characters, are right.
import type { JsonObject } from '../json.ts';
import { sentencesOf } from '../pieces.ts';
import type { PredictQuestion } from './predict-question.ts';

const CITATIONS_MAX = 3;

const SOURCES: ReadonlyMap<string, readonly { readonly url: string; readonly title: string }[]> = new Map([
  [
    'WEB',
    [
      { url: 'https://example.com/emulated/first', title: 'example.com' },
      { url: 'https://example.org/emulated/second?ä=1', title: 'example.org – Überblick' },
    ],
  ],
  [
    'VERTEX_AI_SEARCH',
    [
      { url: 'gs://emulated/first.pdf', title: 'first' },
      { url: 'gs://emulated/second.pdf', title: 'second' },
    ],
  ],
]);

/** Empty where nothing was searched: a text that came with the request is no source to cite. */
export function groundingOf({ request, quote }: PredictQuestion, text: string): JsonObject {
  const { sources = [], disableAttribution = false } = request.parameters.groundingConfig ?? {};
  const found = sources.flatMap(({ type = '' }) => SOURCES.get(type) ?? []);
  if (found.length === 0) return {};
  const citations = sentencesOf(text)
    .slice(0, CITATIONS_MAX)
    .map(({ text: sentence, startIndex }, index) => {
      return { startIndex, endIndex: startIndex + sentence.length, ...found[index % found.length] };
    });
  return { citations: disableAttribution ? [] : citations, searchQueries: [quote] };
}
