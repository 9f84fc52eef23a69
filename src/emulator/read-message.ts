// Reads a JSON value against a shape, as proto JSON does: snake_case or camelCase names, null as absent, unknown names refused.
import { invalidArgument } from './google-error.ts';
import type { JsonObject } from './wire.ts';

export type Scalar = 'string' | 'number' | 'integer' | 'boolean' | 'strings' | 'opaque';
export type Shape = { readonly [name: string]: Scalar | Shape | readonly [Shape] };

const TYPE_NAMES = {
  string: 'TYPE_STRING',
  number: 'TYPE_FLOAT',
  integer: 'TYPE_INT32',
  boolean: 'TYPE_BOOL',
  strings: 'TYPE_STRING',
} as const;

/** The message with camelCase names. Fails with 400 on a name or a type the shape does not have. */
export function readMessage(value: unknown, shape: Shape, path = ''): JsonObject {
  if (!isObject(value)) throw wrongType(path === '' ? 'request' : path, 'message', value);
  const message: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const known = camelCase(name);
    const kind = Object.hasOwn(shape, known) ? shape[known] : undefined;
    if (kind === undefined) throw unknownName(name, path);
    if (field !== null)
      message[known] = readField(field, kind, path === '' ? snakeCase(known) : `${path}.${snakeCase(known)}`);
  }
  return message;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readField(value: unknown, kind: Shape[string], path: string): unknown {
  if (isListShape(kind)) {
    if (!Array.isArray(value)) throw wrongType(path, 'list', value);
    return value.map((item, index) => readMessage(item, kind[0], `${path}[${index}]`));
  }
  if (typeof kind === 'object') return readMessage(value, kind, path);
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

function unknownName(name: string, path: string) {
  const where = path === '' ? '' : ` at '${path}'`;
  return invalidArgument(`Invalid JSON payload received. Unknown name "${name}"${where}: Cannot find field.`, path);
}

function wrongType(path: string, type: string, value: unknown) {
  return invalidArgument(`Invalid value at '${path}' (${type}), ${JSON.stringify(value)?.slice(0, 100)}`, path);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
