// What Vertex AI refuses in `contents`: the shape of each content, the order of the turns, calls and their answers, signatures.
import { invalidArgument } from '../google-error.ts';
import type { Content, Part } from './generate-content.ts';
import { isIssued } from './signature.ts';

const LEARN_MORE = 'Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini';

// A part has exactly one of these; everything else in it is about the one.
const DATA_FIELDS: readonly (keyof Part)[] = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
  'audioTranscription',
  'toolCall',
  'toolResponse',
];

/** Fails with 400 on the first content the model would not take. Signatures are checked against `model`: they belong to the one that issued them. */
export function validateHistory(contents: readonly Content[] | undefined, model: string): void {
  const turns = validateContents(contents);
  validateOrder(turns);
  validateCalls(turns);
  validateSignatures(turns, model);
}

/** Each content by itself, as `countTokens` wants it too: something in it, a known role, no empty part. */
export function validateContents(contents: readonly Content[] | undefined): readonly Content[] {
  if (contents === undefined || contents.length === 0) {
    throw invalidArgument(
      'Unable to submit request because at least one contents field is required. * GenerateContentRequest.contents: contents is not specified',
    );
  }
  for (const [index, content] of contents.entries()) {
    if (!isRole(content.role))
      throw invalidArgument('Please use a valid role: user, model.', `contents[${index}].role`);
    validateParts(content, `contents[${index}]`);
    for (const part of partsOf(content)) validateAuthor(content, part, index);
  }
  return contents;
}

export function validateParts(content: Content, path: string): void {
  const parts = partsOf(content);
  if (parts.length === 0) {
    throw invalidArgument(
      `Unable to submit request because it must include at least one parts field, which describes the prompt input. ${LEARN_MORE}`,
      path,
    );
  }
  for (const [index, part] of parts.entries()) {
    const [first, second] = DATA_FIELDS.filter((name) => part[name] !== undefined);
    const field = `${path}.parts[${index}]`;
    if (first === undefined) {
      throw invalidArgument(
        `Unable to submit request because of an empty part. * GenerateContentRequest.${field}.data: required oneof field 'data' must have one initialized field`,
        field,
      );
    }
    if (second !== undefined) {
      throw invalidArgument(
        `Invalid value at '${field}' (oneof), oneof field 'data' is already set. Cannot set '${second}'`,
        field,
      );
    }
    if (part.text === '' && part.thoughtSignature === undefined) {
      throw invalidArgument(
        `Unable to submit request because it has an empty text parameter. Add a value to the parameter and try again. ${LEARN_MORE}`,
        field,
      );
    }
  }
}

function validateAuthor(content: Content, part: Part, index: number): void {
  const field = `contents[${index}]`;
  if (isModel(content)) {
    if (part.functionResponse)
      throw invalidArgument('Please ensure that function response turns have the role user or function.', field);
    return;
  }
  if (part.functionCall) throw invalidArgument('Please ensure that function call turns have the role model.', field);
  if (part.thought)
    throw invalidArgument('Please ensure that thought parts are only in turns of the role model.', field);
}

function validateOrder(turns: readonly Content[]): void {
  const repeated = turns.findIndex((turn, index) => index > 0 && isModel(turn) === isModel(turns[index - 1]));
  if (repeated !== -1) {
    throw invalidArgument(
      'Please ensure that multiturn requests alternate between user and model.',
      `contents[${repeated}]`,
    );
  }
  if (isModel(turns.at(-1))) throw invalidArgument('Requests ending with a model turn are not supported.');
}

function validateCalls(turns: readonly Content[]): void {
  for (const [index, turn] of turns.entries()) {
    if (isModel(turn)) continue;
    const answers = responsesIn(turn);
    if (answers > 0 && partsOf(turn).some((part) => part.text !== undefined)) {
      throw invalidArgument(
        'Please ensure that function response turns contain nothing but function response parts.',
        `contents[${index}]`,
      );
    }
    if (answers !== callsIn(turns[index - 1]).length) {
      throw invalidArgument(
        'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
        `contents[${index}]`,
      );
    }
  }
}

/** Models before Gemini 3 take their calls back unsigned. */
function demandsSignatures(model: string): boolean {
  return !/^gemini-[12]\b/.test(model);
}

function validateSignatures(turns: readonly Content[], model: string): void {
  const currentTurn = turns.findLastIndex((turn) => !isModel(turn) && responsesIn(turn) === 0);
  for (const [index, turn] of turns.entries()) {
    for (const part of partsOf(turn)) {
      if (part.thoughtSignature === undefined || isIssued(part, model)) continue;
      throw invalidArgument('Unable to submit request because thought signature is not valid.', `contents[${index}]`);
    }
    // Of parallel calls only the first is signed; in turns that are over, nobody looks.
    const [first] = callsIn(turn);
    const isDemanded = index >= currentTurn && demandsSignatures(model);
    if (!isDemanded || !first || first.thoughtSignature !== undefined) continue;
    throw invalidArgument(
      `Unable to submit request because function call \`${first.functionCall?.name}\` in the \`${index + 1}.\` content block is missing a \`thought_signature\`.`,
      `contents[${index}]`,
    );
  }
}

function isRole(role: string | undefined): boolean {
  return role === 'user' || role === 'model' || role === 'function';
}

function isModel(turn: Content | undefined): boolean {
  return turn?.role === 'model';
}

function partsOf(turn: Content | undefined): readonly Part[] {
  return turn?.parts ?? [];
}

function callsIn(turn: Content | undefined): readonly Part[] {
  return partsOf(turn).filter((part) => part.functionCall !== undefined);
}

function responsesIn(turn: Content): number {
  return partsOf(turn).filter((part) => part.functionResponse !== undefined).length;
}
