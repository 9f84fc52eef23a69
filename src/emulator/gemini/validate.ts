// What Vertex AI refuses with 400 although the JSON is well formed: settings out of range, and a wrong systemInstruction.
// The history has its own file, validate-history.ts.
import { invalidArgument } from '../google-error.ts';
import { type Range, validateRanges } from '../ranges.ts';
import type { GenerateRequest, GenerationConfig } from './generate-content.ts';
import { validateHistory, validateParts } from './validate-history.ts';

const RANGES: readonly Range<GenerationConfig>[] = [
  { name: 'temperature', from: 0, to: 2 },
  { name: 'topP', from: 0, to: 1 },
  { name: 'candidateCount', from: 1, to: 8 },
  { name: 'maxOutputTokens', from: 1, to: 1_000_000 },
];

/** Fails with 400 `INVALID_ARGUMENT`, worded like the real API, on the first thing it would not take. */
export function validate(request: GenerateRequest, model: string): void {
  validateRanges(request.generationConfig ?? {}, RANGES);
  validateSystemInstruction(request);
  validateHistory(request.contents, model);
}

function validateSystemInstruction({ systemInstruction }: GenerateRequest): void {
  if (systemInstruction === undefined) return;
  validateParts(systemInstruction, 'system_instruction');
  if (systemInstruction.parts?.some((part) => part.text !== undefined && part.text !== '')) return;
  throw invalidArgument('Unable to submit request because the system instruction must contain non-empty text.');
}
