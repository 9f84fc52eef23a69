// The answer of `countTokens`, which is the same on both wires.

import type { TokenCount } from '../../chat/language-model.ts';
import { answerObject } from './answer-object.ts';
import { protocolError } from './json-stream-decoder.ts';

/** Proto JSON leaves a zero out, but then says something beside it. Fails with `model_protocol_error`, or with the error in the value. */
export function readTokenCount(value: unknown): TokenCount {
  const body = answerObject(value);
  const { totalTokens = 0, totalBillableCharacters } = body;
  const isCount = ['totalTokens', 'totalBillableCharacters', 'promptTokensDetails'].some((name) => name in body);
  if (!isCount || typeof totalTokens !== 'number') throw protocolError('an object that is no count of tokens');
  return { totalTokens, ...(typeof totalBillableCharacters === 'number' ? { totalBillableCharacters } : {}) };
}
