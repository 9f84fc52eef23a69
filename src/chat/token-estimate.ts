// How many tokens a request would cost, without asking anybody: its size, and what the model reported of the last one. Counts
// that are reported include what was sent then, so with nothing left out the estimate is the last usage and what is new.

import type { Answer } from './answer.ts';
import type { KeptMessage, Measured, Part } from './content.ts';
import { bytesIn } from './encoded.ts';
import type { ModelRequest } from './language-model.ts';

const BYTES_PER_TOKEN = 4;
/** Of a picture or a file, whatever its size: the model counts tiles and pages, not bytes. */
const DATA_WEIGHT = 258 * BYTES_PER_TOKEN;
/** What the model reports is believed up to so many times the plain estimate, or so small a part of it. */
const FACTOR_MAX = 4;

/**
 * The tokens of a request that sends the history from a message on, with the question and what stands beside the messages.
 * Costs O(history) once, and nothing for each answer.
 */
export function estimateTokens(history: readonly KeptMessage[], request: ModelRequest): (from: number) => number {
  const following = weightsFrom(history);
  const { tokens, bytes } = rateOf(history, following);
  const always = weightBeside(request) + request.contents.reduce((sum, { parts }) => sum + weightOf(parts), 0);
  return (from) => Math.ceil(((always + (following[from] ?? 0)) * tokens) / bytes);
}

/** What the model reported with its answer, for the next estimates. Nothing when it tells little of one request. */
export function measureOf(request: ModelRequest, omittedMessages: number, answer: Answer): Measured | undefined {
  const { promptTokens = 0, outputTokens } = answer.usage ?? {};
  if (promptTokens === 0 || answer.isContinued) return undefined;
  // Of several candidates one is in the history, but they are counted together.
  const isAlone = answer.candidates.length === 1 && outputTokens !== undefined;
  return {
    promptTokens,
    ...(isAlone ? { outputTokens } : {}),
    omittedMessages,
    weightBeside: weightBeside(request),
  };
}

/** Of the messages from each position on; 0 behind the last. */
function weightsFrom(history: readonly KeptMessage[]): readonly number[] {
  let weight = 0;
  const fromEnd = [weight];
  for (const { parts } of [...history].reverse()) {
    weight += weightOf(parts);
    fromEnd.push(weight);
  }
  return fromEnd.reverse();
}

interface Rate {
  readonly tokens: number;
  /** For so many bytes. */
  readonly bytes: number;
}

/** Two whole numbers: a quotient of them would round up to one token too many. */
function rateOf(history: readonly KeptMessage[], following: readonly number[]): Rate {
  const position = history.findLastIndex(({ measured }) => measured !== undefined);
  const measured = history[position]?.measured;
  if (!measured) return { tokens: 1, bytes: BYTES_PER_TOKEN };
  const { promptTokens, outputTokens, omittedMessages } = measured;
  const end = outputTokens === undefined ? position : position + 1;
  const tokens = promptTokens + (outputTokens ?? 0);
  const bytes = measured.weightBeside + (following[omittedMessages] ?? 0) - (following[end] ?? 0);
  if (tokens * BYTES_PER_TOKEN > bytes * FACTOR_MAX) return { tokens: FACTOR_MAX, bytes: BYTES_PER_TOKEN };
  if (tokens * BYTES_PER_TOKEN * FACTOR_MAX < bytes) return { tokens: 1, bytes: BYTES_PER_TOKEN * FACTOR_MAX };
  return { tokens, bytes };
}

/** Of what a request holds beside its messages. */
function weightBeside({ context = '', examples, settings, groundingSource }: ModelRequest): number {
  const inline = groundingSource?.type === 'inlineContext' ? groundingSource.inlineContext : '';
  const shots = examples.reduce((sum, { input, output }) => sum + bytesIn(input) + bytesIn(output), 0);
  return bytesIn(context) + bytesIn(inline) + shots + (settings.tools ? weightOfJson(settings.tools) : 0);
}

/** In bytes, as far as a tokenizer would read them: signatures are none of it. */
function weightOf(parts: readonly Part[]): number {
  let weight = 0;
  for (const { thought: _mark, thoughtSignature: _signature, text, ...payload } of parts) {
    weight += typeof text === 'string' ? bytesIn(text) : weightOfJson(payload);
  }
  return weight;
}

/**
 * About as long as it would be written out. Step by step, and not by writing it out: what a model has said may be nested deeper
 * than a recursion goes, and a function may have answered with a picture.
 */
function weightOfJson(json: unknown): number {
  let weight = 0;
  const waiting: unknown[] = [json];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') weight += bytesIn(value) + QUOTES;
    else if (typeof value !== 'object' || value === null) weight += String(value).length;
    else if (Array.isArray(value)) {
      weight += value.length;
      for (const item of value) waiting.push(item);
    } else {
      for (const [name, member] of Object.entries(value)) {
        const isData = name === 'inlineData' || name === 'fileData';
        weight += isData ? DATA_WEIGHT : bytesIn(name) + QUOTES + COLON_AND_COMMA;
        if (!isData) waiting.push(member);
      }
    }
  }
  return weight;
}

const QUOTES = 2;
const COLON_AND_COMMA = 2;
