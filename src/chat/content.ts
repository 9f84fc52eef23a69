// Contents: the author's words and the model's opaque parts, and what may be read out of them.

import { invalidField } from './errors.ts';

/**
 * One Gemini part, opaque: stored and replayed verbatim, because it may hold a thought signature, bytes, or a field
 * that this service has never heard of.
 */
export type Part = Readonly<Record<string, unknown>>;

export type Author = 'user' | 'bot';

/** What the model is told: a neighbourless message of the wire. */
export interface Content {
  readonly author: Author;
  readonly parts: readonly Part[];
}

export interface Message extends Content {
  readonly id: string;
  readonly turnId?: string;
  /** The visible text of `parts`, joined. A projection: the parts are the truth. */
  readonly content: string;
  readonly createTime: string;
}

/** A message as the history keeps it. */
export interface KeptMessage extends Message {
  /** The model that said it: its thought signatures are good for no other one. Absent on a question. */
  readonly model?: string;
  readonly measured?: Measured;
}

/** What the model reported of the request that a message answers: the ground on which later ones are estimated. */
export interface Measured {
  readonly promptTokens: number;
  /** Of this message, thoughts aside. Absent when it was counted together with others. */
  readonly outputTokens?: number;
  /** Messages of the history that were left out of the request. */
  readonly omittedMessages: number;
  /** Of what the request held beside messages: the configuration may have become another one since. */
  readonly weightBeside: number;
}

export function textPart(text: string): Part {
  return { text };
}

/** Text that a person is meant to read: thoughts are left out. */
export function visibleText(parts: readonly Part[]): string {
  let text = '';
  for (const part of parts) if (typeof part.text === 'string' && part.thought !== true) text += part.text;
  return text;
}

/** A part with nothing but text: it can be cut and joined anywhere without losing a thing. */
export function isPlainText(part: Part): boolean {
  return typeof part.text === 'string' && hasOnly(part, 'text');
}

/** Without a list of its names: this is asked several times for every event. */
function hasOnly(part: Part, name: string, other = name): boolean {
  for (const own in part) if (own !== name && own !== other) return false;
  return true;
}

/** Same for a thought, which has its mark and nothing else (a signature makes a part untouchable). */
function isPlainThought(part: Part): boolean {
  return typeof part.text === 'string' && part.thought === true && hasOnly(part, 'text', 'thought');
}

/**
 * Append the parts of one chunk to those of the chunks before. Only the seam is joined, and only where both sides are
 * plain: two signed parts may never be merged, nor a signed one with an unsigned one.
 */
export function joinParts(before: readonly Part[], chunk: readonly Part[]): readonly Part[] {
  const last = before.at(-1);
  const first = chunk[0];
  if (!last || !first) return chunk.length === 0 ? before : [...before, ...chunk];
  const joinable = (isPlainText(last) && isPlainText(first)) || (isPlainThought(last) && isPlainThought(first));
  if (!joinable) return [...before, ...chunk];
  const joined = { ...last, text: `${last.text}${first.text}` };
  // As nearly every chunk of a stream.
  if (before.length === 1 && chunk.length === 1) return [joined];
  return [...before.slice(0, -1), joined, ...chunk.slice(1)];
}

const BINARY_OR_CODE = ['inlineData', 'fileData', 'executableCode', 'codeExecutionResult', 'functionCall'] as const;

/** Whether an answer is worth keeping: visible text (white space counts), data, code, or a function call. */
export function isUsable(parts: readonly Part[]): boolean {
  return visibleText(parts) !== '' || parts.some((part) => BINARY_OR_CODE.some((kind) => part[kind] !== undefined));
}

/**
 * Whether a part can be sent to a model. Vertex refuses parts without data and unsigned empty text; a signature may
 * ride on an empty text part and has to go back.
 */
export function isSendable(part: Part): boolean {
  const { thought: _thought, thoughtSignature, ...payload } = part;
  if (Object.keys(payload).length === 0) return false;
  return payload.text !== '' || thoughtSignature !== undefined;
}

function namesOf(kind: 'functionCall' | 'functionResponse', parts: readonly Part[]): readonly string[] {
  const names: string[] = [];
  for (const part of parts) {
    const call = part[kind];
    if (typeof call === 'object' && call !== null) names.push(nameOf(call));
  }
  return names.sort();
}

/** A model may say anything; what is no name is still the same in the call and in its response. */
function nameOf(call: { readonly name?: unknown }): string {
  return typeof call.name === 'string' ? call.name : (JSON.stringify(call.name) ?? '');
}

/**
 * The function calls that a message leaves open, as one comparable string; `''` for none. The store compares it with
 * what the next question answers, so that a history can never hold a call without its response.
 */
export function openCalls(message: Content | undefined): string {
  return message?.author === 'bot' ? JSON.stringify(namesOf('functionCall', message.parts)).slice(1, -1) : '';
}

/** What calls a question answers, comparable with `openCalls`. */
export function answeredCalls(parts: readonly Part[]): string {
  return JSON.stringify(namesOf('functionResponse', parts)).slice(1, -1);
}

/** Refuses, with `invalid_argument`, parts that no model takes from a user. `path` names them in the error. */
export function checkUserParts(parts: readonly Part[], path: string): void {
  checkTexts(parts, path);
  if (!parts.some(isSendable)) throw invalidField(path, 'must hold at least one part that is not empty');
  checkNames('functionResponse', parts, path);
  parts.forEach((part, index) => {
    if (part.functionCall !== undefined || part.thought !== undefined) {
      throw invalidField(`${path}/${index}`, 'holds what only a model may say (functionCall, thought)');
    }
  });
  if (answeredCalls(parts) !== '' && parts.some((part) => typeof part.text === 'string')) {
    throw invalidField(path, 'mixes function responses with text; send the responses alone');
  }
}

/** Same for a bot message that a caller brings along. */
function checkBotParts(parts: readonly Part[], path: string): void {
  checkTexts(parts, path);
  if (!isUsable(parts)) throw invalidField(path, 'must hold visible text, data, code or a function call');
  if (answeredCalls(parts) !== '') throw invalidField(path, 'holds a function response, which only a user may give');
  checkNames('functionCall', parts, path);
}

/** Whatever else a part holds is the model's to judge; but what is no text would be in every later request. */
function checkTexts(parts: readonly Part[], path: string): void {
  parts.forEach(({ text }, index) => {
    if (text !== undefined && typeof text !== 'string') throw invalidField(`${path}/${index}/text`, 'must be string');
  });
}

/** Calls and responses find each other by their names. */
function checkNames(kind: 'functionCall' | 'functionResponse', parts: readonly Part[], path: string): void {
  parts.forEach((part, index) => {
    const call = part[kind];
    if (call === undefined) return;
    const name = typeof call === 'object' && call !== null ? (call as { name?: unknown }).name : undefined;
    if (typeof name !== 'string' || name === '') throw invalidField(`${path}/${index}/${kind}/name`, 'must be a name');
  });
}

/**
 * Refuses, with `invalid_argument` naming the first message at fault, a history after which a user could not go on:
 * it must end with a bot message, and every function call must be answered by the very next message. `after` is the message
 * that it follows.
 */
export function checkHistory(messages: readonly Content[], path: string, after?: Content): void {
  let open = openCalls(after);
  messages.forEach((message, index) => {
    const at = `${path}/${index}`;
    if (message.author === 'user') checkUserParts(message.parts, `${at}/parts`);
    else checkBotParts(message.parts, `${at}/parts`);
    const answered = message.author === 'user' ? answeredCalls(message.parts) : '';
    if (answered !== open) throw invalidField(at, 'must answer exactly the function calls of the message before it');
    const next = messages[index + 1];
    // Neighbours of one author become one content on the wire, where responses may not stand beside text.
    if (answered !== '' && next?.author === 'user') {
      throw invalidField(`${path}/${index + 1}`, 'must be a bot message, since function responses stand alone');
    }
    open = openCalls(message);
    if (open !== '' && next?.author === 'bot') {
      throw invalidField(`${path}/${index + 1}`, 'must answer the function calls of the message before it');
    }
  });
  const last = messages.at(-1);
  if (last && last.author !== 'bot') throw invalidField(`${path}/${messages.length - 1}`, 'must be a bot message');
}
