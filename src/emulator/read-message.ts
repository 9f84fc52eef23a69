// Reads a JSON value against a shape: null is absent, unknown names are refused.
import { invalidArgument } from './google-error.ts';
import { isObject, type JsonObject } from './json.ts';

export type Scalar = 'string' | 'number' | 'integer' | 'boolean' | 'strings' | 'opaque';
export type Shape = { readonly [name: string]: Scalar | Shape | readonly [Shape] };

const TYPE_NAMES = {
  string: 'TYPE_STRING',
  number: 'TYPE_FLOAT',
  integer: 'TYPE_INT32',
  boolean: 'TYPE_BOOL',
  strings: 'TYPE_STRING',
} as const;

/** How names may be written, and how errors write them. */
type Spelling = { known(name: string): string; shown(known: string): string };

/** Messages of Google's APIs: camelCase or snake_case. */
const PROTO_JSON: Spelling = { known: camelCase, shown: snakeCase };

/** Values inside of a message whose schema is the model's own. */
export const AS_WRITTEN: Spelling = { known: (name) => name, shown: (name) => name };

/** The message with the names of the shape. Fails with 400 on a name or a type the shape does not have. */
export function readMessage(value: unknown, shape: Shape, path = '', spelling = PROTO_JSON): JsonObject {
  if (!isObject(value)) throw wrongType(path === '' ? 'request' : path, 'message', value);
  const message: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const known = spelling.known(name);
    const kind = Object.hasOwn(shape, known) ? shape[known] : undefined;
    if (kind === undefined) throw unknownName(name, path);
    const place = path === '' ? spelling.shown(known) : `${path}.${spelling.shown(known)}`;
    if (field !== null) message[known] = readField(field, kind, place, spelling);
  }
  return message;
}

function readField(value: unknown, kind: Shape[string], path: string, spelling: Spelling): unknown {
  if (isListShape(kind)) {
    if (!Array.isArray(value)) throw wrongType(path, 'list', value);
    return value.map((item, index) => readMessage(item, kind[0], `${path}[${index}]`, spelling));
  }
  if (typeof kind === 'object') return readMessage(value, kind, path, spelling);
  if (kind !== 'opaque' && !fits(value, kind)) throw wrongType(path, TYPE_NAMES[kind], value);
  return value;
}

function isListShape(kind: Shape[string]): kind is readonly [Shape] {
  return Array.isArray(kind);
}

function fits(value: unknown, kind: Exclude<Scalar, 'opaque'>): boolean {
  switch (kind) {
    case 'integer':
      return Number.isSafeInteger(value);
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === kind;
    default:
      return kind satisfies never;
  }
}

export function unknownName(name: string, path: string) {
  const where = path === '' ? '' : ` at '${path}'`;
  return invalidArgument(`Invalid JSON payload received. Unknown name "${name}"${where}: Cannot find field.`, path);
}

export function wrongType(path: string, type: string, value: unknown) {
  return invalidArgument(`Invalid value at '${path}' (${type}), ${JSON.stringify(value)?.slice(0, 100)}`, path);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
