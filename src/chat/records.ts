// How the domain's values become what a store keeps: JSON, written and read only here.

import { type KeptMessage, visibleText } from './content.ts';
import { bytesIn, type Encoded } from './encoded.ts';
import { ChatError } from './errors.ts';
import { parseAsWritten } from './json-as-written.ts';
import type { SessionConfig } from './session.ts';
import type { Turn } from './turn.ts';
import type { StoredTurn } from './turn-store.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Fails when the bytes are no UTF-8, or no JSON. */
function decode(encoded: Encoded): unknown {
  return parseAsWritten(typeof encoded === 'string' ? encoded : decoder.decode(encoded));
}

export const encodeConfig = (config: SessionConfig): string => JSON.stringify(config);
export const decodeConfig = (encoded: Encoded): SessionConfig => decode(encoded) as SessionConfig;

/** Texts are projections of parts: a record holds the parts alone, or an answer would be stored five times. */
export function encodeMessage(message: KeptMessage): string {
  const { content: _projection, ...record } = message;
  return JSON.stringify(record);
}

export function decodeMessage(encoded: Encoded): KeptMessage {
  const record = decode(encoded) as Omit<KeptMessage, 'content'>;
  return { ...record, content: visibleText(record.parts) };
}

export function encodeTurn(turn: Turn): string {
  const { text: _projection, candidates, ...record } = turn;
  return JSON.stringify({ ...record, candidates: candidates.map(({ text: _text, ...candidate }) => candidate) });
}

/** A turn that has been superseded has no messages in the history (any more). */
export function decodeTurn({ record: encoded, isSuperseded }: StoredTurn): Turn {
  const { messages, ...rest } = decode(encoded) as Omit<Turn, 'text'>;
  const record = { ...rest, ...(isSuperseded ? { superseded: true } : messages ? { messages } : {}) };
  const candidates = record.candidates.map((candidate) => ({ ...candidate, text: visibleText(candidate.parts) }));
  const top = candidates.find(({ index }) => index === record.chosenCandidate) ?? candidates[0];
  return { ...record, text: top?.text ?? '', candidates };
}

/** The configuration, or `payload_too_large`: it is read with every page of sessions and every turn. */
export function encodeLimitedConfig(config: SessionConfig, bytesMax: number): string {
  const encoded = encodeConfig(config);
  if (bytesIn(encoded) <= bytesMax) return encoded;
  throw new ChatError('payload_too_large', `The session's configuration is larger than ${bytesMax} bytes.`);
}
