// Asks the emulator over real HTTP and reads its answers as a careful client would.
import type { Candidate, Chunk, Content, Part } from '../../src/emulator/gemini/generate-content.ts';
import type { JsonObject } from '../../src/emulator/json.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly isBroken: boolean;
};

export const VERTEX = '/v1/projects/p/locations/us-central1/publishers/google/models';
export const DEVELOPER = '/v1beta/models';

export const user = (...parts: readonly (Part | string)[]): Content => ({
  role: 'user',
  parts: parts.map((part) => (typeof part === 'string' ? { text: part } : part)),
});

export const model = (...parts: readonly (Part | string)[]): Content => ({ ...user(...parts), role: 'model' });

export async function post(address: string, path: string, body: unknown, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(`http://${address}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
  return { status: response.status, headers: response.headers, ...(await textOf(response)) };
}

export function stream(
  address: string,
  text: string,
  settings: JsonObject = {},
  name = 'gemini-test',
): Promise<Answer> {
  return post(address, `${VERTEX}/${name}:streamGenerateContent?alt=sse`, { contents: [user(text)], ...settings });
}

export function unary(address: string, text: string, settings: JsonObject = {}, name = 'gemini-test'): Promise<Answer> {
  return post(address, `${VERTEX}/${name}:generateContent`, { contents: [user(text)], ...settings });
}

/** The events of a whole stream. Throws on anything that is not an event. */
export function chunksIn({ text }: Answer): readonly Chunk[] {
  return text
    .split(/\r\n\r\n|\n\n/)
    .filter((event) => event !== '')
    .map((event) => JSON.parse(event.replace(/^data: /, '')));
}

export function documentIn({ text }: Answer): Chunk {
  return JSON.parse(text);
}

export function errorIn({ text }: Answer): {
  readonly code: number;
  readonly message: string;
  readonly status: string;
  readonly details?: readonly JsonObject[];
} {
  const body = JSON.parse(text);
  return (Array.isArray(body) ? body[0] : body).error;
}

export function candidatesIn(chunks: readonly Chunk[], index = 0): readonly Candidate[] {
  return chunks.flatMap((chunk) => chunk.candidates ?? []).filter((candidate) => candidate.index === index);
}

export function partsIn(chunks: readonly Chunk[], index = 0): readonly Part[] {
  return candidatesIn(chunks, index).flatMap((candidate) => candidate.content?.parts ?? []);
}

/** What a person would read. */
export function saidIn(chunks: readonly Chunk[], index = 0): string {
  return partsIn(chunks, index)
    .filter((part) => !part.thought)
    .map((part) => part.text ?? '')
    .join('');
}

/** The turn a chat keeps: neighbouring plain texts joined, everything else untouched, unsigned empty texts left out. */
export function asTurn(parts: readonly Part[]): Content {
  const kept: Part[] = [];
  for (const part of parts) {
    const last = kept.at(-1);
    if (isPlainText(part) && last && isPlainText(last)) kept[kept.length - 1] = { text: `${last.text}${part.text}` };
    else if (!isPlainText(part) || part.text !== '') kept.push(part);
  }
  return { role: 'model', parts: kept };
}

/** The turn of the user that must follow: an answer for every call, or the next question. */
export function nextQuestion(turn: Content, text: string): Content {
  const calls = (turn.parts ?? []).flatMap((part) => part.functionCall ?? []);
  if (calls.length === 0) return user(text);
  return user(...calls.map(({ name }): Part => ({ functionResponse: { name, response: { result: text } } })));
}

function isPlainText(part: Part): boolean {
  return part.text !== undefined && !part.thought && part.thoughtSignature === undefined;
}

async function textOf(response: Response): Promise<{ text: string; isBroken: boolean }> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true });
    return { text, isBroken: false };
  } catch {
    return { text, isBroken: true }; // what came before the cut counts
  }
}
