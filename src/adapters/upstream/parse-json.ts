// JSON of the upstream, as far as this service can pass it on.

import { ChatError } from '../../chat/errors.ts';
import { parseAsWritten } from '../../chat/json-as-written.ts';

export function protocolError(what: string, cause?: unknown): ChatError {
  return new ChatError('model_protocol_error', `The model answered with ${what}.`, { cause });
}

/** What is nested deeper can be read, but not be written again: `JSON.stringify` runs out of stack. */
const DEPTH_MAX = 256;

/** Fails with `model_protocol_error`. */
export function parseJson(text: string): unknown {
  if (isDeep(text)) throw protocolError('JSON that is nested too deep');
  try {
    return parseAsWritten(text);
  } catch (cause) {
    throw protocolError('something that is not JSON', cause);
  }
}

/** Over the text, before anything is built from it; what is short cannot be deep, nor what opens little. */
function isDeep(text: string): boolean {
  if (text.length < 2 * DEPTH_MAX || !opensMuch(text)) return false;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (isInString) {
      if (code === BACKSLASH) i += 1;
      else if (code === QUOTE) isInString = false;
    } else if (code === QUOTE) isInString = true;
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      depth += 1;
      if (depth > DEPTH_MAX) return true;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth -= 1;
  }
  return false;
}

/** Strings are not told apart: then it is looked at closer. */
function opensMuch(text: string): boolean {
  let count = 0;
  for (const opening of ['{', '[']) {
    for (let at = text.indexOf(opening); at !== -1; at = text.indexOf(opening, at + 1)) {
      count += 1;
      if (count > DEPTH_MAX) return true;
    }
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
