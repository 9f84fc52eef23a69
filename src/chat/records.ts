// How the domain's values become the opaque bytes that a store keeps: JSON in UTF-8, written and read only here.

import { type KeptMessage, visibleText } from './content.ts';
import { ChatError } from './errors.ts';
import { parseAsWritten } from './json-as-written.ts';
import type { SessionConfig } from './session.ts';
import type { Turn } from './turn.ts';
import type { StoredTurn } from './turn-store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

function encode(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

function decode(bytes: Uint8Array): unknown {
  return parseAsWritten(decoder.decode(bytes));
}

export const encodeConfig = (config: SessionConfig): Uint8Array => encode(config);
export const decodeConfig = (bytes: Uint8Array): SessionConfig => decode(bytes) as SessionConfig;

/** Texts are projections of parts: a record holds the parts alone, or an answer would be stored five times. */
export function encodeMessage(message: KeptMessage): Uint8Array {
  const { content: _projection, ...record } = message;
  return encode(record);
}

export function decodeMessage(bytes: Uint8Array): KeptMessage {
  const record = decode(bytes) as Omit<KeptMessage, 'content'>;
  return { ...record, content: visibleText(record.parts) };
}

export function encodeTurn(turn: Turn): Uint8Array {
  const { text: _projection, candidates, ...record } = turn;
  return encode({ ...record, candidates: candidates.map(({ text: _text, ...candidate }) => candidate) });
}

/** A turn that has been superseded has no messages in the history (any more). */
export function decodeTurn({ record: bytes, isSuperseded }: StoredTurn): Turn {
  const { messages, ...rest } = decode(bytes) as Omit<Turn, 'text'>;
  const record = { ...rest, ...(isSuperseded ? { superseded: true } : messages ? { messages } : {}) };
  const candidates = record.candidates.map((candidate) => ({ ...candidate, text: visibleText(candidate.parts) }));
  const top = candidates.find(({ index }) => index === record.chosenCandidate) ?? candidates[0];
  return { ...record, text: top?.text ?? '', candidates };
}

/** The configuration as bytes, or `payload_too_large`: it is read with every page of sessions and every turn. */
export function encodeLimitedConfig(config: SessionConfig, bytesMax: number): Uint8Array {
  const bytes = encodeConfig(config);
  if (bytes.length <= bytesMax) return bytes;
  throw new ChatError('payload_too_large', `The session's configuration is larger than ${bytesMax} bytes.`);
}
