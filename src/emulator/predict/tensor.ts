// The Tensor in JSON (google.cloud.aiplatform.v1.Tensor), in which the streaming method wraps every value.
import { invalidArgument } from '../google-error.ts';
import { isObject, type JsonObject } from '../json.ts';
import { readMessage, type Shape, wrongType } from '../read-message.ts';

const TENSOR: Shape = {
  dtype: 'string',
  shape: 'opaque',
  boolVal: 'opaque',
  stringVal: 'strings',
  bytesVal: 'strings',
  floatVal: 'opaque',
  doubleVal: 'opaque',
  intVal: 'opaque',
  int64Val: 'opaque',
  uintVal: 'opaque',
  uint64Val: 'opaque',
  listVal: 'opaque',
  structVal: 'opaque',
  tensorVal: 'string',
};

type Scalar = { readonly type: string; readonly read: (value: unknown) => unknown };

/** Undefined is what is not of the type. Numbers of 64 bits come as strings, and proto JSON takes them as numbers, too. */
const SCALARS: ReadonlyMap<string, Scalar> = new Map([
  ['boolVal', { type: 'TYPE_BOOL', read: (value) => (typeof value === 'boolean' ? value : undefined) }],
  ['stringVal', { type: 'TYPE_STRING', read: (value) => value }],
  ['bytesVal', { type: 'TYPE_BYTES', read: (value) => value }],
  ['floatVal', { type: 'TYPE_FLOAT', read: numberIn }],
  ['doubleVal', { type: 'TYPE_DOUBLE', read: numberIn }],
  ['intVal', { type: 'TYPE_INT32', read: wholeNumberIn }],
  ['int64Val', { type: 'TYPE_INT64', read: wholeNumberIn }],
  ['uintVal', { type: 'TYPE_UINT32', read: wholeNumberIn }],
  ['uint64Val', { type: 'TYPE_UINT64', read: wholeNumberIn }],
]);

/** Every other number is a fraction, however round it is. */
const WHOLE_NUMBERS: ReadonlySet<string> = new Set(['startIndex', 'endIndex', 'errors']);

/**
 * The value as the SDK unwraps it: one scalar stands for itself, several for a list, none at all for null. Fails with 400 on what is no Tensor.
 */
export function fromTensor(tensor: unknown, path: string): unknown {
  const message = readMessage(tensor, TENSOR, path);
  const [field, second] = Object.keys(message).filter((name) => name.endsWith('Val'));
  if (second !== undefined)
    throw invalidArgument(`Invalid value at '${path}': it has both ${field} and ${second}.`, path);
  if (field === undefined) return null;
  const value = message[field];
  if (field === 'structVal') {
    if (!isObject(value)) throw wrongType(`${path}.struct_val`, 'map', value);
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, fromTensor(inner, `${path}.${name}`)]),
    );
  }
  if (!Array.isArray(value)) throw wrongType(`${path}.${field}`, 'list', value);
  if (value.length === 0) return null;
  if (field === 'listVal') return value.map((item, index) => fromTensor(item, `${path}[${index}]`));
  const scalars = value.map((item) => scalarIn(field, item, path));
  return scalars.length === 1 ? scalars[0] : scalars;
}

/** `name` is that of the field which holds the value. */
export function toTensor(value: unknown, name = ''): JsonObject {
  switch (typeof value) {
    case 'string':
      return { stringVal: [value] };
    case 'boolean':
      return { boolVal: [value] };
    case 'number':
      return WHOLE_NUMBERS.has(name) ? { int64Val: [String(value)] } : { doubleVal: [value] };
    default:
      // Proto JSON leaves out what is empty.
      if (Array.isArray(value)) return value.length > 0 ? { listVal: value.map((item) => toTensor(item, name)) } : {};
      if (!isObject(value) || Object.keys(value).length === 0) return {};
      return {
        structVal: Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toTensor(inner, key)])),
      };
  }
}

function scalarIn(field: string, value: unknown, path: string): unknown {
  const scalar = SCALARS.get(field);
  const read = scalar?.read(value);
  if (!scalar || read === undefined) throw wrongType(path, scalar?.type ?? 'TYPE_STRING', value);
  return read;
}

function numberIn(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function wholeNumberIn(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? Number(number) : undefined;
}
