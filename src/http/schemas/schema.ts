// Small words for writing schemas. TypeBox is the one source of validation, of types at the edge, and of
// `openapi.yaml`.

import { type Static, type TOptional, type TProperties, type TSchema, Type } from 'typebox';

/** A closed object: unknown fields are refused. */
export function closed<P extends TProperties>(properties: P, options: object = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** A reference to a schema with an `$id`: one component in the document, used in many places. */
export function ref<S extends TSchema & { $id: string }>(schema: S) {
  return Type.Unsafe<Static<S>>({ $ref: schema.$id });
}

/** Gives a schema its name in the document. */
export function named<S extends TSchema, Id extends string>($id: Id, schema: S): S & { $id: Id } {
  return { ...schema, $id };
}

export function words<const W extends readonly string[]>(values: W, options: object = {}) {
  return Type.Unsafe<W[number]>({ type: 'string', enum: [...values], ...options });
}

/** Also `null`, in the one form that gives a single, readable error for everything else. */
export function nullable<S extends TSchema>(schema: S) {
  const { type, enum: values } = schema as { type?: string; enum?: readonly unknown[] };
  if (type === undefined) throw new Error('only a schema with a type can be made nullable');
  const words = values ? { enum: [...values, null] } : {};
  return Type.Unsafe<Static<S> | null>({ ...schema, type: [type, 'null'], ...words });
}

export type AllOptional<P extends TProperties> = { [K in keyof P]: TOptional<P[K]> };

export function optional<P extends TProperties>(properties: P): AllOptional<P> {
  return mapProperties(properties, (schema) => Type.Optional(schema)) as AllOptional<P>;
}

export type AllNullable<P extends TProperties> = {
  [K in keyof P]: TOptional<ReturnType<typeof nullable<P[K]>>>;
};

export function optionalNullable<P extends TProperties>(properties: P): AllNullable<P> {
  return mapProperties(properties, (schema) => Type.Optional(nullable(schema))) as AllNullable<P>;
}

function mapProperties(properties: TProperties, map: (schema: TSchema) => TSchema): TProperties {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, map(schema)]));
}

/** JSON that is passed through value-faithfully and never looked into. */
export function opaqueObject(options: object = {}) {
  return Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, ...options });
}

export interface MapLimits {
  readonly pairs: number;
  readonly keyLength: number;
  readonly valueLength: number;
}

/** TypeBox's Record cannot limit its keys. */
export function stringMap({ pairs, keyLength, valueLength }: MapLimits) {
  return Type.Unsafe<Record<string, string>>({
    type: 'object',
    propertyNames: { minLength: 1, maxLength: keyLength },
    additionalProperties: { type: 'string', maxLength: valueLength },
    maxProperties: pairs,
  });
}

export const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$' });
export const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC.' });
export const Count = Type.Integer({ minimum: 0 });
