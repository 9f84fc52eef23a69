// A small value that fits a schema (OpenAPI subset or JSON Schema): for answers in JSON and for the arguments of calls.
import { isObject, type JsonObject } from '../json.ts';

const DEPTH_MAX = 8;

/** `text` stands wherever the schema wants a string. What the schema does not say, or says in ways unknown here, becomes null. */
export function exampleOf(schema: unknown, text: string, depth = 0): unknown {
  if (!isObject(schema) || depth > DEPTH_MAX) return null;
  if (schema.const !== undefined) return schema.const;
  const [choice] = [schema.enum, schema.anyOf, schema.oneOf].filter(Array.isArray);
  if (choice) return choice === schema.enum ? choice[0] : exampleOf(choice[0], text, depth + 1);
  switch (typeOf(schema)) {
    case 'object':
      return exampleObject(schema, text, depth);
    case 'array':
      return [exampleOf(schema.items, text, depth + 1)];
    case 'string':
      return text;
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 1;
    case 'boolean':
      return true;
    default:
      return null;
  }
}

function exampleObject(schema: JsonObject, text: string, depth: number): JsonObject {
  const properties = isObject(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, exampleOf(inner, text, depth + 1)]),
  );
}

function typeOf(schema: JsonObject): string {
  const { type } = schema;
  const name: unknown = Array.isArray(type) ? type[0] : type;
  // OpenAPI writes the types in capitals; an object with properties need not say that it is one.
  return typeof name === 'string' ? name.toLowerCase() : 'properties' in schema ? 'object' : '';
}
