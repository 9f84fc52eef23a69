// Cuts texts: where an answer has to stop, and into which pieces a stream brings it.

const CHARACTERS_PER_TOKEN = 4;
const BIG_PIECE_BYTES = 16 * 1024;
const WORD = /\s*\S+|\s+$/gu;
const SENTENCE = /[^.!?…]+[.!?…]+/gu;

export type Limits = { readonly stopSequences?: readonly string[]; readonly maxOutputTokens?: number };

export function tokensOf(characters: number): number {
  return Math.ceil(characters / CHARACTERS_PER_TOKEN);
}

/** Counts what a reader counts: an emoji outside the basic plane is one character, not two. */
export function charactersOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The text up to the first stop sequence, and not more of it than the tokens allow. */
export function limited(text: string, limits: Limits): { readonly text: string; readonly finishReason: string } {
  const stops = (limits.stopSequences ?? []).filter((stop) => stop !== '').map((stop) => text.indexOf(stop));
  const stopped = text.slice(0, Math.min(text.length, ...stops.filter((at) => at !== -1)));
  const charactersMax = (limits.maxOutputTokens ?? Number.POSITIVE_INFINITY) * CHARACTERS_PER_TOKEN;
  if (charactersOf(stopped) <= charactersMax) return { text: stopped, finishReason: 'STOP' };
  return { text: Array.from(stopped).slice(0, charactersMax).join(''), finishReason: 'MAX_TOKENS' };
}

export type Sentence = { readonly text: string; readonly startIndex: number };

export function sentencesOf(text: string): readonly Sentence[] {
  return Array.from(text.matchAll(SENTENCE), (match) => {
    const sentence = match[0].trimStart();
    return { text: sentence, startIndex: match.index + match[0].length - sentence.length };
  });
}

/** The text as a stream brings it: in `count` pieces, or as a model would. */
export function piecesOf(text: string, rhythm: number, count: number | undefined): readonly string[] {
  return count === undefined ? fewWords(text, rhythm) : equalPieces(text, count);
}

/** Pieces of a few words, a short one first: a model's first chunk comes early. Together they are the text. */
function fewWords(text: string, rhythm: number): readonly string[] {
  const words = wordsOf(text);
  const pieces: string[] = [];
  for (let at = 0; at < words.length; ) {
    const count = pieces.length === 0 ? 1 : 3 + ((rhythm + pieces.length * 3) % 5);
    pieces.push(words.slice(at, at + count).join(''));
    at += count;
  }
  return pieces;
}

/** Exactly `count` pieces. A text with fewer words is continued with numbered ones. */
function equalPieces(text: string, count: number): readonly string[] {
  const words = [...wordsOf(text)];
  while (words.length < count) words.push(` …${words.length + 1}`);
  return Array.from({ length: count }, (_, index) =>
    words.slice(Math.floor((index * words.length) / count), Math.floor(((index + 1) * words.length) / count)).join(''),
  );
}

/** Exactly `bytes` bytes of UTF-8 in pieces of 16 KiB, made one by one: a big answer never exists as a whole. */
export function* bigPieces(bytes: number): Generator<string> {
  for (let left = bytes; left > 0; left -= BIG_PIECE_BYTES) yield exactBytes(Math.min(left, BIG_PIECE_BYTES));
}

function exactBytes(bytes: number): string {
  const wave = bytes >= 4 ? '🌊' : '';
  return wave + 'water under the bridge, '.repeat(Math.ceil(bytes / 24)).slice(0, bytes - Buffer.byteLength(wave));
}

function wordsOf(text: string): readonly string[] {
  return text.match(WORD) ?? [];
}
