// openapi.yaml as the fuzzer reads it: what can be asked, and what may be answered.

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import type { Components, JsonSchema } from './schema-arbitrary.ts';

interface Content {
  readonly [mediaType: string]: { readonly schema: JsonSchema };
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: JsonSchema;
}

export interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: JsonSchema | undefined;
  readonly bodyTypes: readonly string[];
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  /** Asks for no identity. */
  readonly isOpen: boolean;
}

interface Described {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Operation['responses'];
  readonly security?: readonly object[];
}

const document = parse(readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8'));

/** By the way in which they are referred to. */
export const components: Components = new Map(
  Object.entries<JsonSchema>(document.components.schemas).map(([name, schema]) => [
    `#/components/schemas/${name}`,
    schema,
  ]),
);

export const operations: readonly Operation[] = Object.entries<Record<string, Described>>(document.paths).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, described]) => operationOf(method, path, described)),
);

function operationOf(method: string, path: string, described: Described): Operation {
  const { operationId, parameters = [], requestBody, responses, security } = described;
  const content = Object.entries(requestBody?.content ?? {});
  return {
    operationId,
    method: method.toUpperCase(),
    path,
    parameters,
    responses,
    body: content[0]?.[1].schema,
    bodyTypes: content.map(([type]) => type),
    isOpen: security?.length === 0,
  };
}

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(document, 'openapi');

/** What does not fit about a value, by a schema of the document. */
export function misfit(schema: JsonSchema, value: unknown): string | undefined {
  const pointer = String(schema.$ref ?? '');
  const validate = pointer ? ajv.getSchema(`openapi${pointer}`) : ajv.compile(schema);
  if (!validate) return `no schema ${pointer}`;
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}
