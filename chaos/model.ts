// The model of a run: it answers with a digest of what it was sent, refuses what Gemini refuses, and fails when the
// question asks for it. Which question fails, and how, is decided by the client that asks.

import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Content } from '../src/emulator/gemini/generate-content.ts';
import { signed } from '../src/emulator/gemini/signature.ts';
import { validateHistory } from '../src/emulator/gemini/validate-history.ts';
import { asJson, asStream, event, startUpstream, type Upstream, type UpstreamCall } from '../test/support/upstream.ts';
import type { ModelCall } from './evidence.ts';
import { answerPieces, tokenOf, type WireContent } from './expected-answer.ts';

export const MODEL = 'chaos-1';

/** As written into a question: `[slow:200]`. What is not there is answered at once. */
export const MODEL_FAULTS = ['busy', 'busy-once', 'cut', 'eof', 'stall', 'garbage', 'safety'] as const;
export type ModelFault = (typeof MODEL_FAULTS)[number];

export function asksFor(fault: ModelFault): string {
  return `[fault:${fault}]`;
}

export function paced(ms: number): string {
  return `[pace:${ms}]`;
}

export interface ChaosModel extends AsyncDisposable {
  readonly address: string;
  readonly calls: readonly ModelCall[];
  readonly upstream: Upstream;
}

export async function startModel(): Promise<ChaosModel> {
  const calls: ModelCall[] = [];
  const upstream = await startUpstream(async (response, call) => {
    const contents = contentsOf(call.body);
    const question = textOf(contents.at(-1));
    const token = tokenOf(question) ?? '';
    const isFirst = !calls.some((earlier) => earlier.token === token);
    const refusal = refusalOf(contents, call.model);
    calls.push({ token, contents: contents.length, ...(refusal === undefined ? {} : { refusal }) });
    if (refusal !== undefined) return failed(response, 400, refusal);
    const fault = MODEL_FAULTS.find((name) => question.includes(asksFor(name)));
    await answer(response, call, { contents, question, fault, isFirst });
  });
  return { address: upstream.address, calls, upstream, [Symbol.asyncDispose]: () => upstream.close() };
}

interface Asked {
  readonly contents: readonly WireContent[];
  readonly question: string;
  readonly fault: ModelFault | undefined;
  readonly isFirst: boolean;
}

interface Planned {
  readonly pieces: readonly string[];
  readonly fault: ModelFault | undefined;
  readonly paceMs: number;
}

async function answer(response: ServerResponse, call: UpstreamCall, asked: Asked): Promise<void> {
  const { fault, contents, question } = asked;
  if (fault === 'busy' || (fault === 'busy-once' && asked.isFirst)) return failed(response, 503, 'busy');
  const paceMs = Number(/\[pace:(\d+)\]/.exec(question)?.[1] ?? 0);
  const planned = { pieces: answerPieces(contents), fault, paceMs };
  if (call.isStream) await stream(response, call, planned);
  else await once(response, call, planned);
}

async function stream(response: ServerResponse, call: UpstreamCall, planned: Planned): Promise<void> {
  const { pieces, fault, paceMs } = planned;
  asStream(response);
  const breaksAt = fault === undefined || fault === 'busy-once' ? pieces.length : Math.floor(pieces.length / 2);
  for (const [index, piece] of pieces.slice(0, breaksAt).entries()) {
    const isLast = index === pieces.length - 1;
    response.write(event(said([partOf(piece, isLast, call.model)], isLast ? 'STOP' : undefined)));
    if (paceMs > 0) await Promise.race([delay(paceMs), call.aborted]);
  }
  await endStream(response, call, fault);
}

async function endStream(response: ServerResponse, call: UpstreamCall, fault: ModelFault | undefined): Promise<void> {
  switch (fault) {
    case 'cut':
      response.destroy();
      return;
    case 'stall':
      await call.aborted;
      return;
    case 'garbage':
      response.end('data: {"candidates": [oops\r\n\r\n');
      return;
    case 'safety':
      response.end(event(said([], 'SAFETY')));
      return;
    case 'eof':
    case 'busy':
    case 'busy-once':
    case undefined:
      response.end();
      return;
    default:
      fault satisfies never;
  }
}

async function once(response: ServerResponse, call: UpstreamCall, planned: Planned): Promise<void> {
  const { pieces, fault, paceMs } = planned;
  await Promise.race([delay(paceMs * pieces.length), call.aborted]);
  if (fault === 'stall') await call.aborted;
  else if (fault === 'cut' || fault === 'eof') response.destroy();
  else if (fault === 'garbage') response.writeHead(200, { 'content-type': 'application/json' }).end('{"candidates": [');
  else if (fault === 'safety') asJson(response, 200, said([], 'SAFETY'));
  else {
    const parts = [{ text: pieces.slice(0, -1).join('') }, partOf(pieces.at(-1) ?? '', true, call.model)];
    asJson(response, 200, said(parts, 'STOP'));
  }
}

/** The last part is signed: its signature has to come back as it went, or the next call is refused. */
function partOf(text: string, isLast: boolean, model: string): object {
  return isLast ? signed({ text }, model) : { text };
}

function said(parts: readonly object[], finishReason?: string): object {
  const candidate = { index: 0, content: { role: 'model', parts }, ...(finishReason ? { finishReason } : {}) };
  return { candidates: [candidate] };
}

function failed(response: ServerResponse, status: number, message: string): void {
  asJson(response, status, {
    error: { code: status, message, status: status === 400 ? 'INVALID_ARGUMENT' : 'UNAVAILABLE' },
  });
}

function contentsOf(body: string): readonly WireContent[] {
  const { contents = [] } = JSON.parse(body) as { contents?: readonly WireContent[] };
  return contents;
}

function textOf(content: WireContent | undefined): string {
  const parts = (content?.parts ?? []) as readonly { readonly text?: string }[];
  return parts.map(({ text = '' }) => text).join('');
}

function refusalOf(contents: readonly WireContent[], model: string): string | undefined {
  try {
    validateHistory(contents as readonly Content[], model);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
