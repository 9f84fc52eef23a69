// The Tensor in JSON (google.cloud.aiplatform.v1.Tensor), as the streaming method of the legacy wire wraps every value.
// The rules are those of `value_to_tensor` and `tensor_to_value` in google-cloud-aiplatform 1.92 (_streaming_prediction.py).

import { isObject, type JsonObject, numberIn } from '../upstream/json-value.ts';

export type Tensor = JsonObject;

/** Numbers that are floats however round they are; the SDK converts these before it wraps them. */
const FLOATS: ReadonlySet<string> = new Set(['temperature', 'topP', 'presencePenalty', 'frequencyPenalty']);

/** `name` is that of the field which holds the value. */
export function toTensor(value: unknown, name = ''): Tensor {
  switch (typeof value) {
    case 'string':
      return { stringVal: [value] };
    case 'boolean':
      return { boolVal: [value] };
    case 'number':
      return Number.isInteger(value) && !FLOATS.has(name) ? { intVal: [value] } : { floatVal: [value] };
    default:
      if (Array.isArray(value)) return { listVal: value.map((item) => toTensor(item)) };
      if (isObject(value)) return { structVal: mapValues(value, toTensor) };
      return {};
  }
}

/** Where one of these is, there is the value; the numbers of the 64-bit kinds are written as strings. */
const SCALARS: Readonly<Record<string, (value: unknown) => unknown>> = {
  boolVal: (value) => value,
  stringVal: (value) => value,
  bytesVal: (value) => value,
  floatVal: numberOrNull,
  doubleVal: numberOrNull,
  intVal: numberOrNull,
  int64Val: numberOrNull,
  uintVal: numberOrNull,
  uint64Val: numberOrNull,
};

/**
 * One value of a scalar field stands for itself, several for a list; a Tensor without a field is `null`. So a list of
 * one scalar can come as that scalar: whoever wants a list has to take both. Proto JSON may spell fields either way.
 */
export function fromTensor(tensor: unknown): unknown {
  if (!isObject(tensor)) return null;
  const { structVal = tensor.struct_val, listVal = tensor.list_val } = tensor;
  if (isObject(structVal)) return mapValues(structVal, fromTensor);
  if (Array.isArray(listVal)) return listVal.map(fromTensor);
  for (const [name, read] of Object.entries(SCALARS)) {
    const values = tensor[name] ?? tensor[name.replace('Val', '_val')];
    if (!Array.isArray(values) || values.length === 0) continue;
    return values.length === 1 ? read(values[0]) : values.map(read);
  }
  return null;
}

function numberOrNull(value: unknown): number | null {
  return numberIn(value) ?? null;
}

function mapValues(object: JsonObject, map: (value: unknown, name: string) => unknown): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value, name)]));
}
