// What an operation of a client is given, and what is written down of its answer.

import type { Answer } from '../test/support/client.ts';
import { outcomeOfStatus } from './outcome.ts';

/** Who does it, to which session, on which replica. */
export interface Call {
  readonly client: string;
  readonly sessionId: string;
  readonly replica: number;
}

export interface Question {
  readonly token: string;
  readonly question: string;
  readonly body: object;
  readonly key?: string;
  readonly hasOtherBody?: boolean;
  readonly isProbe?: boolean;
}

/** Of a body. */
export interface Chosen {
  readonly turnId?: string;
  readonly onBusy?: string;
}

export function keyHeader({ key }: Question): Readonly<Record<string, string>> {
  return key === undefined ? {} : { 'idempotency-key': key };
}

export function cursorHeader(after: string | undefined): Readonly<Record<string, string>> {
  return after === undefined ? {} : { 'last-event-id': after };
}

export function header({ headers }: Answer): string | undefined {
  const turnId = headers['turn-id'];
  return typeof turnId === 'string' ? turnId : undefined;
}

export function versionOf(json: { readonly version?: number } | undefined): { readonly version?: number } {
  return typeof json?.version === 'number' ? { version: json.version } : {};
}

export function ended(status: number, json: { readonly code?: string } | undefined) {
  return { outcome: outcomeOfStatus(status), status, ...(typeof json?.code === 'string' ? { code: json.code } : {}) };
}
