// From what was said to the `contents` of a request: examples, history and question as turns of user and model, with
// the thought signatures that the model will know as its own.

import { type Author, type Content, isSendable, type Part, textPart } from '../../chat/content.ts';
import type { ModelRequest, SaidContent } from '../../chat/language-model.ts';
import { shortName } from '../../chat/model-name.ts';

/** What a wire that wants some text gets where there is none. White space alone is refused by no backend. */
const MINIMAL_PART = '{"text":" "}';

/**
 * The body of a request: `before`, the JSON of its contents, `after`. Examples are few-shot turns before the history. Neighbours
 * of one author become one content.
 */
export function withContents(before: string, { model, examples, contents }: ModelRequest, after: string): Uint8Array {
  const written = writtenBefore(contents, model, examples);
  const rest = written ? contents.slice(written.count) : [...shotsOf(examples), ...withOwnSignatures(contents, model)];
  const json = jsonOf(rest, written?.author);
  const body = Buffer.concat([
    Buffer.from(before),
    written?.json ?? NOTHING,
    json.author === undefined ? MINIMAL : json.bytes,
    Buffer.from(`${CLOSE}${after}`),
  ]);
  const last = contents.at(-1);
  if (last && json.author !== undefined && (written || !contents.some((content) => isForeign(content, model)))) {
    const start = Buffer.byteLength(before);
    prefixes.set(last.parts, {
      json: body.subarray(start, start + (written?.json.length ?? 0) + json.bytes.length),
      count: contents.length,
      author: json.author,
      first: contents[0]?.parts,
      model,
      examples,
    });
  }
  return body;
}

function shotsOf(examples: ModelRequest['examples']): readonly Content[] {
  return examples.flatMap(({ input, output }) => [
    { author: 'user', parts: [textPart(input)] },
    { author: 'bot', parts: [textPart(output)] },
  ]);
}

/** The beginning of `contents` as it was sent before, but for its closing brackets: most of a request is what the last one was. */
interface Prefix {
  readonly json: Uint8Array;
  readonly count: number;
  readonly author: Author | undefined;
  readonly first: readonly Part[] | undefined;
  readonly model: string;
  readonly examples: ModelRequest['examples'];
}

/** By the parts of its last content: known for as long as somebody keeps those. */
const prefixes = new WeakMap<readonly Part[], Prefix>();

/** Between the last question and the one of now there is an answer, or nothing. */
const LOOK_BACK = 3;

function writtenBefore(
  contents: readonly SaidContent[],
  model: string,
  examples: ModelRequest['examples'],
): Prefix | undefined {
  for (let at = contents.length - 1; at >= Math.max(0, contents.length - LOOK_BACK); at -= 1) {
    const { parts } = contents[at] as SaidContent;
    const prefix = prefixes.get(parts);
    if (!prefix) continue;
    const isSame = prefix.count === at + 1 && prefix.first === contents[0]?.parts;
    const isOfModel = prefix.model === model && prefix.examples === examples;
    if (!isSame || !isOfModel || contents.slice(at).some((content) => isForeign(content, model))) return undefined;
    // The longer one takes its place: all of them together would grow with the square of the history. A retry has it again.
    if (at < contents.length - 1) prefixes.delete(parts);
    return prefix;
  }
  return undefined;
}

const NOTHING = new Uint8Array();
/** Where nothing can be sent. */
const MINIMAL = Buffer.from(`[{"role":"user","parts":[${MINIMAL_PART}`);
const CLOSE = ']}]';

/** What is to be written after a content of that author, or at the beginning; no author when that is nothing. */
function jsonOf(said: readonly Content[], before: Author | undefined) {
  const pieces: string[] = [];
  let author = before;
  for (const content of said) {
    const parts = JSON.stringify(content.parts.filter(isSendable)).slice(1, -1);
    if (parts === '') continue;
    // The wire begins with a user; a history may begin with the bot.
    if (author === undefined)
      pieces.push('[{"role":"user","parts":[', ...(content.author === 'bot' ? [MINIMAL_PART] : []));
    author ??= 'user';
    if (content.author !== author)
      pieces.push(`]},{"role":"${content.author === 'user' ? 'user' : 'model'}","parts":[`);
    else if (pieces.length !== 1) pieces.push(',');
    pieces.push(parts);
    author = content.author;
  }
  return { bytes: Buffer.from(pieces.join('')), author };
}

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
