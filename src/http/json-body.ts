// How JSON bodies are read: strictly UTF-8, no deeper and of no more values than allowed, never with keys that could reach a
// prototype.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import sjson from 'secure-json-parse';
import { ChatError, invalidField } from '../chat/errors.ts';
import { parseAsWritten } from '../chat/json-as-written.ts';
import { shapeOf } from './json-shape.ts';

export interface JsonBodyLimits {
  readonly jsonDepthMax: number;
  readonly jsonValuesMax: number;
}

const JSON_TYPES = ['application/json', 'application/merge-patch+json'];

export function acceptJsonBodies(app: FastifyInstance, limits: JsonBodyLimits): void {
  // Fastify's own parsers take text/plain as well, and answer an empty body with an error of their own.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPES, { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, readJson(body as Buffer, limits));
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('onRequest', ({ method, headers }, _reply, done) => {
    const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity';
    // A GET has no body that anybody looks at, however it is said to be encoded.
    if (encoding !== 'identity' && method !== 'GET')
      throw new ChatError('unsupported_media_type', 'Bodies are taken uncompressed only.');
    done();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    const isPatchType = request.headers['content-type']?.toLowerCase().startsWith('application/merge-patch+json');
    if (isPatchType && request.method !== 'PATCH') {
      throw new ChatError('unsupported_media_type', 'application/merge-patch+json is for PATCH alone.');
    }
    done();
  });
}

function readJson(body: Buffer, { jsonDepthMax, jsonValuesMax }: JsonBodyLimits): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw invalidField('', 'is not UTF-8');
  const { depth, values, mayOverflow } = shapeOf(body);
  if (depth > jsonDepthMax) throw invalidField('', `is nested deeper than ${jsonDepthMax} levels`);
  if (values > jsonValuesMax) throw invalidField('', `holds more than ${jsonValuesMax} values`);
  let value: unknown;
  try {
    value = parseAsWritten(withoutMark(body.toString()));
    if (typeof value === 'object' && value !== null) {
      sjson.scan(value, { protoAction: 'error', constructorAction: 'error' });
    }
  } catch (cause) {
    // The parser's text quotes the body: it is not passed on.
    throw new ChatError('invalid_argument', 'The body is not valid JSON.', {
      cause,
      fields: [{ path: '', message: 'is not valid JSON, or holds a forbidden key' }],
    });
  }
  if (mayOverflow && holdsInfinity(value)) throw invalidField('', 'holds a number that is too large');
  return value;
}

/** Some clients begin their texts with a byte order mark. */
function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** JSON cannot write Infinity: it would be kept and sent on as null. */
function holdsInfinity(value: unknown): boolean {
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (next === Number.POSITIVE_INFINITY || next === Number.NEGATIVE_INFINITY) return true;
    if (typeof next === 'object' && next !== null) for (const member of Object.values(next)) waiting.push(member);
  }
  return false;
}

/** For operations to which nothing needs to be said: an empty body is fine. */
export async function optionalBody(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {};
}
