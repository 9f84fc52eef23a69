// What a Gemini request asks.
import { digestOf } from '../digest.ts';
import { type Question, quoteOf, remarkOnInstructions } from '../question.ts';
import type { Content, GenerateRequest, Part } from './generate-content.ts';

export type GeminiQuestion = Question & { readonly request: GenerateRequest };

/** A function response has no text: the markers of its question do not work twice. */
export function questionOf(request: GenerateRequest, model: string): GeminiQuestion {
  const contents = request.contents ?? [];
  const last = contents.at(-1);
  const text = textOf(last);
  const instructions = request.systemInstruction?.parts?.map((part) => part.text ?? '').join(' ');
  const { continuationToken: _, ...asked } = request;
  return {
    request,
    model,
    text,
    quote: quoteOf(text) || (last?.parts?.find((part) => part.inlineData)?.inlineData?.mimeType ?? '…'),
    earlierMessages: Math.max(0, contents.length - 1),
    remarks: instructions ? [remarkOnInstructions(instructions)] : [],
    // A repeated request that only adds its continuation token asks the same, also when its client writes out empty settings.
    digest: digestOf([model, Object.entries(asked).filter(([, setting]) => !isEmpty(setting))]),
  };
}

export function responsesTo(question: GeminiQuestion): readonly Part[] {
  return (question.request.contents?.at(-1)?.parts ?? []).filter((part) => part.functionResponse !== undefined);
}

function isEmpty(value: object | string): boolean {
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function textOf(content: Content | undefined): string {
  return (content?.parts ?? []).map((part) => part.text ?? '').join('');
}
