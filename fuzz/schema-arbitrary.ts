// Values made from a JSON schema: mostly valid ones, sometimes with something wrong in them, sometimes anything at all.

import fc from 'fast-check';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export type Components = ReadonlyMap<string, JsonSchema>;

/** A value for the schema; about one in five has something wrong somewhere. */
export function fromSchema(schema: JsonSchema, components: Components): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: fitting(schema, components) }, { weight: 1, arbitrary: wild });
}

const wild = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(null, '', 0, -1, 1e308, [], {}, '\u0000', '😀'));

/** Anything that fits where a request has text: queries, paths, headers. */
export const wildText = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom('', '%', '..', '{}', '-1', 'null', '"1"', '*'),
);

function fitting(schema: JsonSchema, components: Components): fc.Arbitrary<unknown> {
  const {
    $ref,
    anyOf,
    enum: values,
    type,
  } = schema as { $ref?: string; anyOf?: JsonSchema[]; enum?: unknown[]; type?: string | string[] };
  if ($ref) return fromSchema(components.get($ref) ?? {}, components);
  if (anyOf) return fc.oneof(...anyOf.map((branch) => fromSchema(branch, components)));
  if (values) return fc.constantFrom(...values);
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => fitting({ ...schema, type: one }, components)));
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return numbers(schema, true);
    case 'number':
      return numbers(schema, false);
    case 'string':
      return texts(schema);
    case 'array':
      return fc.array(fromSchema((schema.items ?? {}) as JsonSchema, components), { maxLength: 3 });
    case 'object':
      return objects(schema, components);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function numbers({ minimum = -1000, maximum = 1000 }: JsonSchema, isWhole: boolean): fc.Arbitrary<number> {
  const min = Number(minimum);
  const max = Math.max(min, Math.min(Number(maximum), 100_000));
  const inside = isWhole ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true });
  return fc.oneof(
    { weight: 8, arbitrary: inside },
    { weight: 1, arbitrary: fc.constantFrom(min - 1, Number(maximum) + 1, 0.5) },
  );
}

function texts({ pattern, minLength = 0, maxLength = 40 }: JsonSchema): fc.Arbitrary<string> {
  const length = { minLength: Number(minLength), maxLength: Math.min(Number(maxLength), 40) };
  if (typeof pattern !== 'string') return fc.string({ ...length, unit: 'grapheme' });
  const ids = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(...'abcXYZ019_-') });
  return fc.oneof({ weight: 8, arbitrary: ids }, { weight: 1, arbitrary: fc.string(length) });
}

function objects(schema: JsonSchema, components: Components): fc.Arbitrary<object> {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0)
    return fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
  const required = new Set((schema.required ?? []) as string[]);
  const model = Object.fromEntries(properties.map(([name, property]) => [name, fromSchema(property, components)]));
  // Few fields at a time: with many, hardly anything would ever be valid.
  const names = fc.subarray(
    properties.map(([name]) => name),
    { maxLength: Math.min(4, properties.length) },
  );
  return names.chain((some) => {
    const chosen = Object.fromEntries(
      Object.entries(model).filter(([name]) => required.has(name) || some.includes(name)),
    );
    const extra = fc.dictionary(fc.constantFrom('extra', 'constructor', 'toString'), fc.jsonValue(), { maxKeys: 1 });
    return fc.oneof(
      { weight: 12, arbitrary: fc.record(chosen) },
      { weight: 1, arbitrary: fc.tuple(fc.record(chosen), extra).map(([some_, more]) => ({ ...some_, ...more })) },
    );
  });
}
