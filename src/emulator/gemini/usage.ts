// Token counts: estimated, but they add up, and they grow with what was sent and said.
import type { JsonObject } from '../json.ts';
import { charactersOf, tokensOf } from '../pieces.ts';
import type { Api } from '../route.ts';
import type { GenerateRequest, Part } from './generate-content.ts';

const IMAGE_TOKENS = 258;

export type PromptTokens = {
  readonly total: number;
  readonly details: readonly JsonObject[];
  readonly billableCharacters: number;
};

type Metered = { readonly api: Api; readonly prompt: PromptTokens };

type Counted = { text: number; thought: number; media: number };

export type Tally = { readonly counted: Readonly<Counted>; add(parts: readonly Part[]): void };

/** Counts an answer while it is made: nobody has it as a whole. */
export function tallyAnswer(): Tally {
  const counted: Counted = { text: 0, thought: 0, media: 0 };
  return {
    counted,
    add: (parts) => {
      for (const part of parts) {
        if (part.inlineData) counted.media += IMAGE_TOKENS;
        else counted[part.thought ? 'thought' : 'text'] += charactersIn(part);
      }
    },
  };
}

/** On the chunks before the last. Vertex tells next to nothing there. */
export function usageSoFar(answer: Metered): JsonObject {
  if (answer.api === 'vertex') return { trafficType: 'ON_DEMAND' };
  return { promptTokenCount: answer.prompt.total, totalTokenCount: answer.prompt.total };
}

export function usageTotal(answer: Metered, { counted }: Tally): JsonObject {
  const { prompt } = answer;
  const text = tokensOf(counted.text);
  const thoughtsTokenCount = tokensOf(counted.thought);
  const candidatesTokenCount = text + counted.media;
  return {
    promptTokenCount: prompt.total,
    // Zeros are left out, as proto JSON does: so a blocked answer has no candidatesTokenCount.
    ...(candidatesTokenCount > 0 && { candidatesTokenCount }),
    totalTokenCount: prompt.total + candidatesTokenCount + thoughtsTokenCount,
    ...(answer.api === 'vertex' && { trafficType: 'ON_DEMAND' }),
    promptTokensDetails: prompt.details,
    ...(candidatesTokenCount > 0 && { candidatesTokensDetails: detailsOf(text, counted.media) }),
    ...(thoughtsTokenCount > 0 && { thoughtsTokenCount }),
  };
}

export function countTokensAnswer(request: GenerateRequest, api: Api): JsonObject {
  const { total, details, billableCharacters } = promptTokens(request);
  return {
    totalTokens: total,
    ...(api === 'vertex' && { totalBillableCharacters: billableCharacters }),
    promptTokensDetails: details,
  };
}

export function promptTokens(request: GenerateRequest): PromptTokens {
  const parts = [request.systemInstruction, ...(request.contents ?? [])].flatMap((content) => content?.parts ?? []);
  const tools = request.tools ? JSON.stringify(request.tools).length : 0;
  const media = parts.filter((part) => part.inlineData ?? part.fileData).length * IMAGE_TOKENS;
  const text = tokensOf(parts.reduce((sum, part) => sum + charactersIn(part), tools));
  const billableCharacters = parts.reduce((sum, part) => sum + (part.text ?? '').replace(/\s/g, '').length, 0);
  return { total: text + media, details: detailsOf(text, media), billableCharacters };
}

function charactersIn(part: Part): number {
  if (part.text !== undefined) return charactersOf(part.text);
  const structure = part.functionCall ?? part.functionResponse ?? part.executableCode ?? part.codeExecutionResult;
  return structure === undefined ? 0 : JSON.stringify(structure).length;
}

function detailsOf(text: number, image: number): readonly JsonObject[] {
  return [
    ...(text > 0 ? [{ modality: 'TEXT', tokenCount: text }] : []),
    ...(image > 0 ? [{ modality: 'IMAGE', tokenCount: image }] : []),
  ];
}
