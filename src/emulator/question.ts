// What a request asks, read once: the text the answer talks about, and the digest every arbitrary choice comes from.
import { withoutMarkers } from './faults.ts';
import { digestOf } from './signature.ts';
import type { Content, GenerateRequest, Part } from './wire.ts';

export type Question = {
  readonly request: GenerateRequest;
  readonly model: string;
  /** The last user text, markers included. A function response has none: the markers of its question do not work twice. */
  readonly text: string;
  /** The same, fit to be quoted in an answer. */
  readonly quote: string;
  readonly earlierMessages: number;
  readonly digest: string;
};

const QUOTE_CHARACTERS_MAX = 120;

export function questionOf(request: GenerateRequest, model: string): Question {
  const contents = request.contents ?? [];
  const last = contents.at(-1);
  const text = textOf(last);
  const { continuationToken: _, ...asked } = request;
  return {
    request,
    model,
    text,
    quote: quoteOf(text, last),
    earlierMessages: Math.max(0, contents.length - 1),
    // A repeated request that only adds its continuation token asks the same, also when its client writes out empty settings.
    digest: digestOf([model, Object.entries(asked).filter(([, setting]) => !isEmpty(setting))]),
  };
}

export function responsesTo(question: Question): readonly Part[] {
  return (question.request.contents?.at(-1)?.parts ?? []).filter((part) => part.functionResponse !== undefined);
}

/** A number from 0 to 65535 that depends on the request only. `position` chooses one of sixteen. */
export function numberFrom(digest: string, position: number): number {
  const start = (position % 16) * 4;
  return Number.parseInt(digest.slice(start, start + 4), 16);
}

function isEmpty(value: object | string): boolean {
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function textOf(content: Content | undefined): string {
  return (content?.parts ?? []).map((part) => part.text ?? '').join('');
}

function quoteOf(text: string, content: Content | undefined): string {
  const words = withoutMarkers(text).replace(/\s+/g, ' ');
  if (words === '') return content?.parts?.find((part) => part.inlineData)?.inlineData?.mimeType ?? '…';
  const characters = Array.from(words.slice(0, 2 * QUOTE_CHARACTERS_MAX));
  const isShort = characters.length <= QUOTE_CHARACTERS_MAX && characters.join('') === words;
  return isShort ? words : `${characters.slice(0, QUOTE_CHARACTERS_MAX).join('')}…`;
}
