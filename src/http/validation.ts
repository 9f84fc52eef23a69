// Validation of what comes in. Nothing of a body is coerced, filled in or taken away: what does not fit is refused,
// and every bad field is named.

import { Ajv, type ErrorObject } from 'ajv';
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';
import { ChatError, type FieldError } from '../chat/errors.ts';
import { COMPONENTS } from './schemas/components.ts';

/** A list of errors helps up to a point. */
const FIELD_ERRORS_MAX = 50;

export function validatorCompiler(): FastifySchemaCompiler<FastifySchema> {
  const forBodies = newAjv({ coerceTypes: false });
  // Queries, paths and headers are text: numbers in them have to be read as such.
  const forText = newAjv({ coerceTypes: true });
  return ({ schema, httpPart }) => (httpPart === 'body' ? forBodies : forText).compile(schema as object);
}

function newAjv({ coerceTypes }: { coerceTypes: boolean }): Ajv {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    removeAdditional: false,
    useDefaults: false,
    coerceTypes,
    strict: false,
    validateFormats: false,
    addUsedSchema: false,
  });
  for (const component of COMPONENTS) ajv.addSchema(component as object, component.$id);
  return ajv;
}

/** What Fastify collected, as one `invalid_argument`. */
export function validationError(errors: readonly ErrorObject[], httpPart: string): ChatError {
  const fields: FieldError[] = [];
  for (const error of errors) {
    const field = fieldError(error, httpPart);
    if (!field || fields.some((known) => known.path === field.path && known.message === field.message)) continue;
    fields.push(field);
    if (fields.length === FIELD_ERRORS_MAX) break;
  }
  const first = fields[0] ?? { path: '', message: 'is invalid' };
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : '';
  return new ChatError('invalid_argument', `${first.path || `the ${httpPart}`} ${first.message}${more}`, { fields });
}

function fieldError(error: ErrorObject, httpPart: string): FieldError | undefined {
  const { instancePath, keyword, params, schemaPath } = error;
  const path = httpPart === 'body' ? instancePath : instancePath.slice(1);
  const at = (name: unknown) => (httpPart === 'body' ? `${path}/${String(name)}` : String(name));
  // The branches of a choice explain nothing that the choice itself does not say better.
  if (/\/oneOf\/\d/.test(schemaPath)) return undefined;
  switch (keyword) {
    case 'additionalProperties':
      return { path: at(params.additionalProperty), message: 'is not a known field' };
    case 'required':
      return { path: at(params.missingProperty), message: 'is required' };
    case 'propertyNames':
      return { path: at(params.propertyName), message: 'is not a valid name' };
    case 'enum':
      return { path, message: `must be one of ${(params.allowedValues as unknown[]).join(', ')}` };
    case 'pattern':
      return { path, message: `must match ${params.pattern}` };
    case 'oneOf': {
      const choice = (error.parentSchema as { 'x-one-of'?: string })['x-one-of'] ?? 'one of the alternatives';
      return { path, message: `must hold either ${choice}` };
    }
    case 'anyOf':
      return { path, message: 'must be one of the documented forms' };
    default:
      return { path, message: error.message ?? 'is invalid' };
  }
}
