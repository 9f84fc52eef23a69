// What the model of a run answers: a function of the contents it is sent, digest included. So an answer in a history
// proves which history the model saw, and how the whole answer goes.

import { createHash } from 'node:crypto';
import { canonical } from '../src/emulator/digest.ts';

export interface WireContent {
  readonly role: string;
  readonly parts: readonly unknown[];
}

/** The pieces in which a stream says it; a unary answer is all of them. */
export function answerPieces(contents: readonly WireContent[]): readonly string[] {
  const digest = digestOf(contents);
  const count = 2 + (Number.parseInt(digest.slice(0, 2), 16) % 10);
  const filler = Array.from({ length: count }, (_, i) => ` ${i}:${digest.slice(i, i + 8)}`);
  return [`${contents.length}#${digest}`, ...filler, ' .'];
}

export function expectedAnswer(contents: readonly WireContent[]): string {
  return answerPieces(contents).join('');
}

export function digestOf(contents: readonly WireContent[]): string {
  return createHash('sha256')
    .update(canonical(contents.map(({ role, parts }) => [role, parts])))
    .digest('hex')
    .slice(0, 24);
}

/** Every question carries a token that no other has. */
export const TOKEN = /\bq-[a-z0-9-]+\b/;

export function tokenOf(text: string): string | undefined {
  return TOKEN.exec(text)?.[0];
}
