// Thought signatures and continuation tokens: opaque strings only the emulator can issue, checked without remembering any.
import { createHmac } from 'node:crypto';
import { canonical } from '../digest.ts';
import type { Part } from './generate-content.ts';

// Not a secret: it only has to differ from what a client would invent. It is constant so that answers are the same in every process.
const KEY = 'chat-session-proxy emulator';

// Google documents these for calls that come from another model or from nowhere; a client may send them instead of a signature.
const BYPASSES: readonly string[] = ['skip_thought_signature_validator', 'context_engineering_is_the_way_to_go'];

export function signed(part: Part, model: string): Part {
  return { ...part, thoughtSignature: signatureOf(part, model) };
}

/** Whether this model issued the part's signature, and the part is still what it signed. A part without a signature is nobody's. */
export function isIssued(part: Part, model: string): boolean {
  const { thoughtSignature, ...content } = part;
  if (thoughtSignature === undefined) return false;
  return thoughtSignature === signatureOf(content, model) || (isCall(part) && BYPASSES.includes(thoughtSignature));
}

export function continuationToken(requestDigest: string): string {
  return createHmac('sha256', KEY).update(`continuation ${requestDigest}`).digest('base64');
}

function signatureOf(part: Part, model: string): string {
  return createHmac('sha256', KEY)
    .update(`${model} ${canonical(part)}`)
    .digest('base64');
}

function isCall(part: Part): boolean {
  return part.functionCall !== undefined;
}
