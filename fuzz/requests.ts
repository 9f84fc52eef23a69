// Requests made from the document: mostly such as a program would send, some nearly so, some wild; by every kind of caller.

import fc from 'fast-check';
import { components, type Operation, operations } from './document.ts';
import { fromSchema, wildText } from './schema-arbitrary.ts';

/** Stands for the newest turn of the session: hardly any other can be chosen from or regenerated. */
export const NEWEST = '<newest>';
/** Ids that requests agree on, so that sessions are found, filled and deleted by others. */
export const SESSIONS = ['s0', 's1', 's2', 's3'] as const;

export const CALLERS = ['owner', 'stranger', 'reader', 'nobody', 'unknown', 'expired'] as const;
export type Caller = (typeof CALLERS)[number];

export interface FuzzRequest {
  readonly operation: Operation;
  readonly caller: Caller;
  readonly sessionId: string;
  readonly turnId: string;
  /** With its question mark; percent-encoded. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it goes over the wire. */
  readonly body: string | undefined;
}

const sessionId = often(8, fc.constantFrom(...SESSIONS), wildText);
const turnId = often(4, fc.constant(NEWEST), wildText);
const callers = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Caller>('owner') },
  { weight: 4, arbitrary: fc.constantFrom<Caller>(...CALLERS) },
);

function often<T>(weight: number, usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: rare });
}

/** Of those that the document names, and now and then one that it does not. */
function query({ parameters }: Operation): fc.Arbitrary<string> {
  const named = parameters.filter((parameter) => parameter.in === 'query');
  const values = named.map(({ name, schema }) => {
    return fc.tuple(fc.constant(name), often(6, fromSchema(schema, components).map(asText), wildText));
  });
  const other = fc.tuple(fc.constantFrom('access_token', 'key', 'pageSize', 'x'), wildText);
  const pairs = often(8, values.length > 0 ? fc.oneof(...values) : other, other);
  return often(
    3,
    fc.constant(''),
    pairs.map(([name, value]) => `?${name}=${encodeURIComponent(value)}`),
  );
}

/** What a header may hold at all: a client cannot send anything else. */
const headerText = fc.string({ maxLength: 40, unit: fc.constantFrom(...'abz09-_.:;,="*/ \t()<>@\u00e9\u00ff') });
const ODD_HEADERS: fc.Arbitrary<Readonly<Record<string, string>>> = fc.constantFrom<Readonly<Record<string, string>>>(
  { accept: 'text/html' },
  { accept: '*/*' },
  { accept: 'application/json' },
  { 'content-type': 'text/plain' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-encoding': 'gzip' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  { 'x-forwarded-user': 'owner', 'x-forwarded-for': '10.0.0.1' },
  { expect: '200-ok' },
  { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
);

function headers({ parameters }: Operation): fc.Arbitrary<Readonly<Record<string, string>>> {
  const named = parameters.filter((parameter) => parameter.in === 'header');
  const likely = [...HEADER_VALUES.keys()].filter((name) => named.some((parameter) => parameter.name === name));
  if (likely.length === 0) return often(6, fc.constant({}), ODD_HEADERS);
  const one = fc.constantFrom(...likely).chain((name) => {
    const value = often(4, fc.constantFrom(...(HEADER_VALUES.get(name) ?? [''])), headerText);
    return value.map((text) => ({ [name]: text.trim() }));
  });
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: one },
    { weight: 1, arbitrary: ODD_HEADERS },
  );
}

const HEADER_VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ['if-match', ['"1"', '"2"', '*', 'W/"1"']],
  ['idempotency-key', ['k1', 'k2', '"k1"']],
  ['prefer', ['respond-async', 'wait=1']],
  ['last-event-id', ['1-1', '1-2', '9-9']],
]);

function body({ body: schema }: Operation): fc.Arbitrary<string | undefined> {
  if (!schema) return fc.constant(undefined);
  const value = fromSchema(schema, components).map((json) => JSON.stringify(json));
  const broken = fc.oneof(
    value.map((text) => text?.slice(0, -1)),
    fc.constantFrom('', '{', '\u0000', '[]', 'null', '{"__proto__":{}}', `${'['.repeat(100)}${']'.repeat(100)}`),
  );
  return often<string | undefined>(12, value, broken);
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** All operations alike. */
export const requests: fc.Arbitrary<FuzzRequest> = fc.constantFrom(...operations).chain((operation) =>
  fc.record({
    operation: fc.constant(operation),
    caller: callers,
    sessionId,
    turnId,
    query: query(operation),
    headers: headers(operation),
    body: body(operation),
  }),
);
