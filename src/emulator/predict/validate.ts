// What the legacy wire refuses with 400 although names and types are right.
import { invalidArgument } from '../google-error.ts';
import { type Range, validateRanges } from '../ranges.ts';
import type { GroundingConfig, GroundingSource, Instance, Message, Parameters } from './predict-request.ts';

const RANGES: readonly Range<Parameters>[] = [
  { name: 'temperature', from: 0, to: 1 },
  // The most any model of the family could say: chat-bison 2048, chat-bison-32k 8192.
  { name: 'maxOutputTokens', from: 1, to: 8192 },
  { name: 'topP', from: 0, to: 1 },
  { name: 'topK', from: 1, to: 40 },
  { name: 'candidateCount', from: 1, to: 8 },
  { name: 'presencePenalty', from: -2, to: 2 },
  { name: 'frequencyPenalty', from: -2, to: 2 },
];

const DATASTORE = /^projects\/[^/]+\/locations\/[^/]+\/collections\/[^/]+\/dataStores\/[^/]+$/;

/** For each type of source the field it cannot do without; it has no other one. */
const SOURCE_FIELDS: ReadonlyMap<string, keyof Omit<GroundingSource, 'type'> | undefined> = new Map([
  ['WEB', undefined],
  ['VERTEX_AI_SEARCH', 'vertexAiSearchDatastore'],
  ['INLINE', 'inlineContext'],
]);

/** What is true of an instance wherever its history ends, or when there is none yet. */
export function validateInstance({ messages = [], ...instance }: Partial<Instance>, path: string): Instance {
  for (const [index, { input, output }] of (instance.examples ?? []).entries()) {
    if (input?.content && output?.content) continue;
    throw missing(`${path}.examples[${index}]`, 'an input and an output with content');
  }
  for (const [index, { author, content }] of messages.entries()) {
    if (!author) throw missing(`${path}.messages[${index}]`, 'an author');
    if (!content) throw missing(`${path}.messages[${index}]`, 'a content that is not empty');
  }
  return { ...instance, messages };
}

/** There is a question to answer: the user begins, the authors take turns, and the user ends. */
export function validateHistory(messages: readonly Message[], path: string): void {
  if (messages.length === 0) throw missing(path, 'at least one message');
  // Word for word what chat-bison said (googleapis/python-aiplatform#2875).
  if (messages.length % 2 === 0) {
    throw invalidArgument('There should be odd number of messages for correct alternating turn.');
  }
  if (!isUser(messages.at(-1))) throw invalidArgument('The last message must be a message of the user.');
  if (messages.some((message, index) => index > 0 && isUser(message) === isUser(messages[index - 1]))) {
    throw invalidArgument('Messages must alternate between authors.');
  }
}

export function validateParameters(parameters: Parameters): void {
  validateRanges(parameters, RANGES);
  if (parameters.groundingConfig) validateGrounding(parameters.groundingConfig);
}

function validateGrounding({ sources = [] }: GroundingConfig): void {
  const path = 'parameters.groundingConfig';
  if (sources.length === 0) throw missing(path, 'at least one source');
  for (const [index, { type = '', ...fields }] of sources.entries()) {
    const place = `${path}.sources[${index}]`;
    if (!SOURCE_FIELDS.has(type)) {
      throw invalidArgument(`Invalid value at '${place}.type' (GroundingSource.Type), "${type}"`, place);
    }
    const needed = SOURCE_FIELDS.get(type);
    if (needed && !fields[needed]) throw missing(place, needed);
    const foreign = Object.keys(fields).find((name) => name !== needed);
    if (foreign) throw invalidArgument(`Invalid value at '${place}': a ${type} source has no ${foreign}.`, place);
    if (needed === 'vertexAiSearchDatastore' && !DATASTORE.test(fields[needed] ?? '')) {
      throw invalidArgument(`Invalid value at '${place}.${needed}': it is not the name of a data store.`, place);
    }
  }
}

// The SDK says "user", Google's documentation "USER"; everybody else is the bot, whatever his name.
function isUser(message: Message | undefined): boolean {
  return message?.author.toLowerCase() === 'user';
}

function missing(path: string, what: string) {
  return invalidArgument(`Unable to submit request because '${path}' must have ${what}.`, path);
}
