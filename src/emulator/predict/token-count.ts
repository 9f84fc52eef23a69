// Token counts of the legacy wire: estimated, but they grow with what was sent and said. What is billed are visible characters.
import type { JsonObject } from '../json.ts';
import { charactersOf, tokensOf } from '../pieces.ts';
import { inlineContextOf } from './predict-question.ts';
import type { PredictRequest } from './predict-request.ts';

export function tokenCount(texts: readonly string[]): JsonObject {
  const visible = texts.map((text) => text.replace(/\s/g, ''));
  return { totalTokens: tokensOf(characters(texts)), totalBillableCharacters: characters(visible) };
}

/** Everything of a request that the model reads. */
export function promptTexts(request: PredictRequest): readonly string[] {
  const { context = '', examples = [], messages } = request.instance;
  return [
    context,
    ...examples.flatMap(({ input, output }) => [input.content, output.content]),
    ...messages.map(({ content }) => content),
    inlineContextOf(request),
  ];
}

function characters(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + charactersOf(text), 0);
}
