// The answer of `countTokens`, which is the same on both wires.

import type { TokenCount } from '../../chat/language-model.ts';
import { answerObject } from './answer-object.ts';
import { countIn } from './json-value.ts';
import { protocolError } from './parse-json.ts';

/** Proto JSON leaves a zero out, but then says something beside it. Fails with `model_protocol_error`, or with the error in the value. */
export function readTokenCount(value: unknown): TokenCount {
  const body = answerObject(value);
  const isCount = ['totalTokens', 'totalBillableCharacters', 'promptTokensDetails'].some((name) => name in body);
  const totalTokens = countIn(body.totalTokens ?? 0);
  if (!isCount || totalTokens === undefined) throw protocolError('an object that is no count of tokens');
  const totalBillableCharacters = countIn(body.totalBillableCharacters);
  return { totalTokens, ...(totalBillableCharacters === undefined ? {} : { totalBillableCharacters }) };
}
