// What the service of this tree can do, read from its API document: a run uses what is there, and says what it did not.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Capabilities {
  readonly resume: boolean;
  readonly cancel: boolean;
  readonly idempotency: boolean;
  readonly enqueue: boolean;
  readonly interrupt: boolean;
  readonly respondAsync: boolean;
  readonly followSession: boolean;
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly { readonly name?: string }[];
}

interface ApiDocument {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export function readCapabilities(): Capabilities {
  const text = readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8');
  return capabilitiesOf(parse(text) as ApiDocument);
}

export function capabilitiesOf(document: ApiDocument): Capabilities {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => Object.values(path));
  const named = (id: string) => operations.find(({ operationId }) => operationId === id);
  const takes = (header: string) =>
    named('sendMessage')?.parameters?.some(({ name }) => name?.toLowerCase() === header) === true;
  const onBusy = valuesOf(document, 'onBusy');
  return {
    resume: named('streamTurn') !== undefined,
    cancel: named('cancelTurn') !== undefined,
    idempotency: takes('idempotency-key'),
    enqueue: onBusy.includes('enqueue'),
    interrupt: onBusy.includes('interrupt'),
    respondAsync: takes('prefer'),
    followSession: named('followSession') !== undefined,
  };
}

/** The `enum` of a property, wherever in the document it stands. */
function valuesOf(node: unknown, property: string): readonly unknown[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = (node as Record<string, { readonly enum?: readonly unknown[] } | undefined>)[property]?.enum;
  if (Array.isArray(own)) return own;
  return Object.values(node).flatMap((inner) => valuesOf(inner, property));
}
