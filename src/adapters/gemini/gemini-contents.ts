// From what was said to the `contents` of a request: examples, history and question as turns of user and model, with
// the thought signatures that the model will know as its own.

import { type Author, type Content, isSendable, type Part, textPart } from '../../chat/content.ts';
import type { ModelRequest, SaidContent } from '../../chat/language-model.ts';
import { shortName } from '../../chat/model-name.ts';

/** What a wire that wants some text gets where there is none. White space alone is refused by no backend. */
const MINIMAL_USER: Content = { author: 'user', parts: [textPart(' ')] };

/** The JSON of `contents`. Examples are few-shot turns before the history. Neighbours of one author become one content. */
export function wireContents({ model, examples, contents }: ModelRequest): string {
  const shots = examples.flatMap(({ input, output }): Content[] => [
    { author: 'user', parts: [textPart(input)] },
    { author: 'bot', parts: [textPart(output)] },
  ]);
  const said = [...shots, ...withOwnSignatures(contents, model)];
  // The wire begins with a user; a history may begin with the bot.
  const first = said.find(({ parts }) => written(parts) !== '');
  return merged(first?.author === 'user' ? said : [MINIMAL_USER, ...said]);
}

function merged(said: readonly Content[]): string {
  let json = '';
  let last: Author | undefined;
  for (const { author, parts } of said) {
    const piece = written(parts);
    if (piece === '') continue;
    if (author === last) json += `,${piece}`;
    else
      json += `${last === undefined ? '[' : ']},'}{"role":"${author === 'user' ? 'user' : 'model'}","parts":[${piece}`;
    last = author;
  }
  return `${json}]}]`;
}

/**
 * The JSON of the parts that can be sent, with commas between; empty when there are none. Known for as long as somebody keeps
 * the parts: what is said again with every request is written once.
 */
function written(parts: readonly Part[]): string {
  let json = pieces.get(parts);
  if (json === undefined) {
    json = JSON.stringify(parts.filter(isSendable)).slice(1, -1);
    pieces.set(parts, json);
  }
  return json;
}

const pieces = new WeakMap<readonly Part[], string>();

/** A signature belongs to the model that gave it, and another one refuses it. */
function withOwnSignatures(contents: readonly SaidContent[], model: string): readonly Content[] {
  if (!contents.some((content) => isForeign(content, model))) return contents;
  const question = contents.findLastIndex(({ author, parts }) => {
    return author === 'user' && !parts.some((part) => part.functionResponse !== undefined);
  });
  return contents.map((content, index) => {
    if (!isForeign(content, model)) return content;
    const parts = content.parts.map(withoutSignature);
    // Earlier turns are not checked; in the one that is going on, a call without a signature is refused.
    return { ...content, parts: index > question && !TAKES_UNSIGNED.test(model) ? withBypass(parts) : parts };
  });
}

function isForeign(content: SaidContent, model: string): boolean {
  if (content.model === undefined || content.model === model) return false;
  return shortName(content.model) !== shortName(model);
}

function withoutSignature(part: Part): Part {
  const { thoughtSignature: _foreign, ...rest } = part;
  return rest;
}

/** Since Gemini 3. Aliases (`gemini-flash-latest`) and endpoints do not tell what they are: they are taken for newer ones. */
const TAKES_UNSIGNED = /(?:^|\/)gemini-[12]\b/;

/**
 * What Google documents for calls that another model made (Vertex AI, "Thought signatures"). Of parallel calls only the
 * first one carries a signature.
 */
const BYPASS = { thoughtSignature: 'skip_thought_signature_validator' };

function withBypass(parts: readonly Part[]): readonly Part[] {
  const first = parts.findIndex((part) => part.functionCall !== undefined);
  return parts.map((part, index) => (index === first ? { ...part, ...BYPASS } : part));
}
