// Where an answer comes from. The wire gives recitation citations with character offsets, and grounding as two lists,
// supports and chunks, whose offsets count bytes of one part; clients get one list of citations in characters.

import { visibleText } from '../../chat/content.ts';
import type { Citation, GroundingMetadata } from '../../chat/language-model.ts';
import { isObject, type JsonObject, objectsIn, offsetIn, stringsIn } from '../upstream/json-value.ts';

/** Recitation. Vertex says `citations`, the Developer API `citationSources`; a start of 0 is left out by both. */
export function citationsOf(metadata: unknown): readonly Citation[] {
  if (!isObject(metadata)) return [];
  return objectsIn(metadata.citations ?? metadata.citationSources).map((source) => ({
    startIndex: offsetIn(source.startIndex),
    endIndex: offsetIn(source.endIndex),
    url: textOf(source.uri),
    ...optionalText('title', source.title),
    ...optionalText('license', source.license),
    ...optionalText('publicationDate', dateText(source.publicationDate)),
  }));
}

/** `citations` and `searchQueries` as the seed had them; everything else as the model gave it. */
export function groundingOf(metadata: JsonObject, parts: readonly JsonObject[]): GroundingMetadata {
  const chunks = objectsIn(metadata.groundingChunks);
  const citations = objectsIn(metadata.groundingSupports).flatMap((support) => {
    const segment = isObject(support.segment) ? support.segment : {};
    const [startIndex, endIndex] = characterRange(segment, parts);
    const indices = Array.isArray(support.groundingChunkIndices) ? support.groundingChunkIndices : [];
    return indices.flatMap((index): Citation[] => {
      const source = typeof index === 'number' ? sourceOf(chunks[index]) : undefined;
      return source ? [{ startIndex, endIndex, ...source }] : [];
    });
  });
  const searchQueries = [...stringsIn(metadata.webSearchQueries), ...stringsIn(metadata.retrievalQueries)];
  return { ...metadata, citations, searchQueries };
}

function sourceOf(chunk: JsonObject | undefined): { url: string; title?: string } | undefined {
  const source = chunk && [chunk.web, chunk.retrievedContext, chunk.maps].find(isObject);
  if (!source) return undefined;
  return { url: textOf(source.uri), ...optionalText('title', source.title) };
}

/** A segment's bytes as characters of the candidate's visible text. A range that does not fit it stays as it is. */
function characterRange(segment: JsonObject, parts: readonly JsonObject[]): readonly [number, number] {
  const partIndex = offsetIn(segment.partIndex);
  const start = offsetIn(segment.startIndex);
  const end = offsetIn(segment.endIndex);
  const part = parts[partIndex];
  // No source supports a thought: such a segment counts in what can be seen.
  if (part?.thought === true) return charactersIn(visibleText(parts), start, end, 0);
  const text = part?.text;
  if (typeof text !== 'string') return [start, end];
  return charactersIn(text, start, end, visibleText(parts.slice(0, partIndex)).length);
}

function charactersIn(text: string, start: number, end: number, before: number): readonly [number, number] {
  const bytes = Buffer.from(text, 'utf8');
  if (start < 0 || end < start || end > bytes.length) return [start, end];
  const characters = (count: number) => before + bytes.subarray(0, count).toString('utf8').length;
  return [characters(start), characters(end)];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function optionalText<Name extends string>(name: Name, value: unknown): { [K in Name]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [name]: value } as { [K in Name]?: string }) : {};
}

/** `{year, month?, day?}` as an ISO date, as precise as it is. */
function dateText(date: unknown): string | undefined {
  if (typeof date === 'string') return date;
  if (!isObject(date) || typeof date.year !== 'number') return undefined;
  const parts = [String(date.year).padStart(4, '0')];
  if (typeof date.month === 'number') parts.push(String(date.month).padStart(2, '0'));
  if (typeof date.month === 'number' && typeof date.day === 'number') parts.push(String(date.day).padStart(2, '0'));
  return parts.join('-');
}
