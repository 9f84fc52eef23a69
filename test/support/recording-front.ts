// Stands between the service and the emulator: keeps every request and answer byte for byte, and gives some answers itself.
// What the emulator does not know is kept from it, so that it can still judge everything else strictly.

import { request } from 'node:http';
import { asJson, asStream, event, startUpstream, type Upstream } from './upstream.ts';

/** One part of a message, as the bytes of its JSON. */
export type PartText = string;

export interface Exchange {
  /** The request as the service sent it. */
  readonly body: string;
  /** The parts of the answer, one list for each chunk. */
  readonly chunks: readonly (readonly PartText[])[];
}

export interface RecordingFront extends AsyncDisposable {
  readonly address: string;
  readonly exchanges: readonly Exchange[];
  /** The next answer is these parts, each of them a chunk when it is streamed. */
  answerNext(parts: readonly object[]): void;
}

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['text', 'thought', 'thoughtSignature', 'inlineData', 'functionCall', 'functionResponse'],
  ...['executableCode', 'codeExecutionResult'],
]);

/** `emulator` is the address of the strict one. */
export async function startFront(emulator: string): Promise<RecordingFront> {
  const exchanges: Exchange[] = [];
  let next: readonly object[] | undefined;
  const upstream: Upstream = await startUpstream(async (response, { url, body }) => {
    const isStream = url.includes(':streamGenerateContent');
    const { status, text } = await forward(emulator, url, withoutUnknownParts(body));
    const scripted = next;
    next = undefined;
    if (status !== 200 || !scripted) {
      if (status === 200) exchanges.push({ body, chunks: partsOf(text) });
      response.writeHead(status, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
      response.end(text);
      return;
    }
    const chunks = isStream ? scripted.map((part) => [part]) : [scripted];
    exchanges.push({ body, chunks: chunks.map((parts) => parts.map((part) => JSON.stringify(part))) });
    const responses = chunks.map((parts, index) => ({
      candidates: [
        { content: { role: 'model', parts }, ...(index === chunks.length - 1 ? { finishReason: 'STOP' } : {}) },
      ],
    }));
    if (isStream) asStream(response).end(responses.map(event).join(''));
    else asJson(response, 200, responses[0]);
  });
  return {
    address: upstream.address,
    exchanges,
    answerNext(parts) {
      next = parts;
    },
    [Symbol.asyncDispose]: () => upstream.close(),
  };
}

function forward(address: string, url: string, body: string): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
  const call = request(`http://${address}${url}`, { method: 'POST', agent: false, headers }, (response) => {
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => pieces.push(piece));
    response.on('error', reject);
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString('utf8') });
    });
  });
  call.on('error', reject);
  call.end(body);
  return promise;
}

interface WireContent {
  readonly role: string;
  readonly parts: readonly object[];
}

function withoutUnknownParts(body: string): string {
  const { contents, ...rest } = JSON.parse(body) as { contents: readonly WireContent[] };
  const known = contents.map(({ role, parts }) => ({
    role,
    parts: parts.filter((part) => Object.keys(part).every((field) => KNOWN_FIELDS.has(field))),
  }));
  return JSON.stringify({ contents: known, ...rest });
}

/** Of a stream or a document. The emulator writes JSON as we do, but for the white space of its documents. */
function partsOf(text: string): readonly (readonly PartText[])[] {
  const values = text.startsWith('{') ? [text] : text.split(/\r?\n/).filter((line) => line.startsWith('data: '));
  return values.map((value) => {
    const { candidates } = JSON.parse(value.replace(/^data: /, '')) as {
      candidates?: readonly { content?: { parts?: readonly object[] } }[];
    };
    return (candidates?.[0]?.content?.parts ?? []).map((part) => JSON.stringify(part));
  });
}
