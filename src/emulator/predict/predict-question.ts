// What a request of the legacy wire asks.
import { counted } from '../answer-text.ts';
import { digestOf } from '../digest.ts';
import { beginningOf, type Question, quoteOf, remarkOnInstructions } from '../question.ts';
import type { PredictRequest } from './predict-request.ts';

export type PredictQuestion = Question & { readonly request: PredictRequest };

export function questionOf(request: PredictRequest, model: string): PredictQuestion {
  const { context, examples = [], messages } = request.instance;
  const text = messages.at(-1)?.content ?? '';
  const given = inlineContextOf(request);
  return {
    request,
    model,
    text,
    quote: quoteOf(text) || '…',
    earlierMessages: Math.max(0, messages.length - 1),
    remarks: [
      ...(context ? [remarkOnInstructions(context)] : []),
      ...(examples.length > 0 ? [`I was shown ${counted(examples.length, 'example')}.`] : []),
      ...(given === '' ? [] : [`I was given a text that begins with “${beginningOf(given)}”.`]),
    ],
    digest: digestOf([model, request]),
  };
}

/** What the request itself says the answer should be grounded in. */
export function inlineContextOf({ parameters }: PredictRequest): string {
  return (parameters.groundingConfig?.sources ?? []).map(({ inlineContext = '' }) => inlineContext).join(' ');
}
