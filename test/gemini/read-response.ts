// Reading responses of the wire as the adapter does, for the tests of it.

import { type ResponseOptions, readResponse, startReading } from '../../src/adapters/gemini/gemini-response.ts';
import { type Answer, addChunk, NO_ANSWER } from '../../src/chat/answer.ts';
import { ChatError } from '../../src/chat/errors.ts';
import type { ModelChunk } from '../../src/chat/language-model.ts';

export function read(value: unknown, options: ResponseOptions = startReading({})): ModelChunk {
  return readResponse(value, options);
}

/** All chunks of one stream, added up as the domain adds them. */
export function readAll(values: readonly unknown[], stripAttribution = false): Answer {
  const options = startReading({ groundingSource: { type: 'webSearch', disableAttribution: stripAttribution } });
  return values.map((value) => readResponse(value, options)).reduce(addChunk, NO_ANSWER);
}

/** The code of the error that a value is refused with. */
export function codeOf(value: unknown): string {
  try {
    read(value);
  } catch (error) {
    if (error instanceof ChatError) return error.code;
    throw error;
  }
  return 'none';
}
