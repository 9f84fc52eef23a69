// How the domain's values become the opaque bytes that a store keeps: JSON in UTF-8, written and read only here.

import type { Message } from './content.ts';
import { ChatError } from './errors.ts';
import type { SessionConfig } from './session.ts';
import type { Turn } from './turn.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

function encode(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

function decode(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes));
}

export const encodeConfig = (config: SessionConfig): Uint8Array => encode(config);
export const decodeConfig = (bytes: Uint8Array): SessionConfig => decode(bytes) as SessionConfig;

export const encodeMessage = (message: Message): Uint8Array => encode(message);
export const decodeMessage = (bytes: Uint8Array): Message => decode(bytes) as Message;

export const encodeTurn = (turn: Turn): Uint8Array => encode(turn);
export const decodeTurn = (bytes: Uint8Array): Turn => decode(bytes) as Turn;

/** The configuration as bytes, or `payload_too_large`: it is read with every page of sessions and every turn. */
export function encodeLimitedConfig(config: SessionConfig, bytesMax: number): Uint8Array {
  const bytes = encodeConfig(config);
  if (bytes.length <= bytesMax) return bytes;
  throw new ChatError('payload_too_large', `The session's configuration is larger than ${bytesMax} bytes.`);
}
