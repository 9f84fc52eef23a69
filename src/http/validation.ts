// Validation of what comes in. Nothing of a body is coerced, filled in or taken away: what does not fit is refused,
// and every bad field is named.

import { Ajv, type ErrorObject } from 'ajv';
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';
import { ChatError, type FieldError } from '../chat/errors.ts';
import { COMPONENTS } from './schemas/components.ts';

/** A list of errors helps up to a point. */
const FIELD_ERRORS_MAX = 50;

type Validator = ReturnType<FastifySchemaCompiler<FastifySchema>>;

/** By what is validated and its schema: most routes share theirs, and to compile them is most of a start. */
const compiled = new Map<string, Validator>();

export const compileValidator: FastifySchemaCompiler<FastifySchema> = ({ schema, httpPart }) => {
  const isBody = httpPart === 'body';
  const name = `${isBody ? 'body' : 'text'} ${JSON.stringify(schema)}`;
  const known = compiled.get(name);
  if (known) return known;
  const validator = isBody ? bodyValidator(schema as object) : textAjv().compile(schema as object);
  compiled.set(name, validator);
  return validator;
};

const stoppingAjv = once(() => newAjv({ coerceTypes: false, allErrors: false }));
const collectingAjv = once(() => newAjv({ coerceTypes: false, allErrors: true }));
/** Queries, paths and headers are text: numbers in them have to be read as such. */
const textAjv = once(() => newAjv({ coerceTypes: true, allErrors: true }));

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * All bad fields of a body are told, but not of one that is large: a list of a million wrong items would make a million
 * errors, and seconds and gigabytes of them.
 */
function bodyValidator(schema: object): Validator {
  const stopsAtFirst = stoppingAjv().compile(schema);
  // Not before a body is bad: a few hundredths of a second, once, instead of at every start.
  const collects = once(() => collectingAjv().compile(schema));
  return (body: unknown) => {
    if (stopsAtFirst(body)) return { value: body };
    if (!isSmall(body)) return { error: stopsAtFirst.errors ?? [] };
    collects()(body);
    return { error: collects().errors ?? [] };
  };
}

/** How many values a body may hold for all its errors to be collected. */
const COLLECTED_VALUES_MAX = 5000;

function isSmall(body: unknown): boolean {
  const waiting: unknown[] = [body];
  for (let seen = 0; waiting.length > 0; seen += 1) {
    if (seen > COLLECTED_VALUES_MAX || waiting.length > COLLECTED_VALUES_MAX) return false;
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const name in value) {
      waiting.push(Reflect.get(value, name));
      if (waiting.length > COLLECTED_VALUES_MAX) return false;
    }
  }
  return true;
}

function newAjv({ coerceTypes, allErrors }: { coerceTypes: boolean; allErrors: boolean }): Ajv {
  const ajv = new Ajv({
    allErrors,
    verbose: true,
    removeAdditional: false,
    useDefaults: false,
    coerceTypes,
    strict: false,
    // 1e400 is read as Infinity, which JSON cannot write: it would be kept as null.
    strictNumbers: true,
    validateFormats: false,
    addUsedSchema: false,
    code: { optimize: false },
  });
  for (const component of COMPONENTS) ajv.addSchema(component as object, component.$id);
  return ajv;
}

/** What Fastify collected, as one `invalid_argument`. */
export function validationError(errors: readonly ErrorObject[], httpPart: string): ChatError {
  const fields: FieldError[] = [];
  for (const error of ofMeantForms(errors)) {
    const field = fieldError(error, httpPart);
    if (!field || fields.some((known) => known.path === field.path && known.message === field.message)) continue;
    fields.push(field);
    if (fields.length === FIELD_ERRORS_MAX) break;
  }
  const first = fields[0] ?? { path: '', message: 'is invalid' };
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : '';
  return new ChatError('invalid_argument', `${first.path || `the ${httpPart}`} ${first.message}${more}`, { fields });
}

/**
 * Of a choice between objects that their `type` tells apart, only the form that was meant explains anything; where none
 * was, the choice itself does.
 */
function ofMeantForms(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const otherForms = new Set(errors.filter(isOfOtherType).map(formOf));
  const meant = errors.filter((error) => !otherForms.has(formOf(error)) && error.params.type !== 'null');
  return meant.filter(({ keyword, schemaPath }) => {
    const explains = (error: ErrorObject) => error.keyword !== 'anyOf' && error.schemaPath.startsWith(`${schemaPath}/`);
    return keyword !== 'anyOf' || !meant.some(explains);
  });
}

/** The alternative that an error is about. */
function formOf({ schemaPath }: ErrorObject): string | undefined {
  return /^.*\/anyOf\/\d+(?=\/)/.exec(schemaPath)?.[0];
}

function isOfOtherType(error: ErrorObject): boolean {
  const { keyword, schemaPath, params } = error;
  if (keyword === 'required') return params.missingProperty === 'type' && formOf(error) !== undefined;
  return keyword === 'enum' && schemaPath === `${formOf(error)}/properties/type/enum`;
}

function fieldError(error: ErrorObject, httpPart: string): FieldError | undefined {
  const { instancePath, keyword, params, schemaPath } = error;
  const path = httpPart === 'body' ? instancePath : instancePath.slice(1);
  const at = (name: unknown) =>
    httpPart === 'body' ? `${path}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}` : String(name);
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
      return { path, message: `must be one of ${(params.allowedValues as unknown[]).map(String).join(', ')}` };
    case 'pattern':
      return { path, message: `must match ${params.pattern}` };
    case 'oneOf': {
      const choice = (error.parentSchema as { 'x-one-of'?: string })['x-one-of'] ?? 'one of the alternatives';
      return { path, message: `must hold either ${choice}` };
    }
    case 'maxProperties': {
      const both = (error.parentSchema as { 'x-one-of'?: string })['x-one-of']?.replace(' or ', ' and ');
      return { path, message: both ? `must hold not both ${both}` : (error.message ?? 'has too many fields') };
    }
    case 'anyOf':
      return { path, message: `must have one of the types ${typesOf(error.parentSchema as Choice).join(', ')}` };
    default:
      return { path, message: error.message ?? 'is invalid' };
  }
}

interface Choice {
  readonly anyOf?: readonly Choice[];
  readonly properties?: { readonly type?: { readonly enum?: readonly string[] } };
}

function typesOf({ anyOf = [], properties }: Choice): readonly string[] {
  return [...(properties?.type?.enum ?? []), ...anyOf.flatMap(typesOf)];
}
