// Thousands of requests made from the schemas, valid, nearly valid and wild: never a 5xx, only documented answers, and
// bodies that are what the document says.

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { COMPONENTS } from '../../src/http/schemas/components.ts';
import { send } from '../support/client.ts';
import { fromSchema, type JsonSchema, wildText } from '../support/schema-arbitrary.ts';
import { startScene } from '../support/service-scene.ts';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly body?: JsonSchema;
  readonly responses: Readonly<Record<string, { readonly content?: Record<string, { readonly schema: JsonSchema }> }>>;
}

const RUNS = 2400;
const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));
const components = new Map<string, JsonSchema>(
  COMPONENTS.map((component) => [component.$id, component as unknown as JsonSchema]),
);

const operations: readonly Operation[] = Object.entries<Record<string, never>>(document.paths).flatMap(
  ([path, methods]) =>
    Object.entries<{
      requestBody?: { content: Record<string, { schema: { $ref: string } }> };
      responses: Operation['responses'];
    }>(methods).map(([method, { requestBody, responses }]) => {
      const reference = Object.values(requestBody?.content ?? {})[0]?.schema.$ref;
      const body = reference && components.get(reference.split('/').at(-1) ?? '');
      return { method: method.toUpperCase(), path, responses, ...(body ? { body } : {}) };
    }),
);

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(document, 'openapi');

function misfit(schema: JsonSchema, body: unknown): string | undefined {
  const pointer = String(schema.$ref ?? '');
  const validate = pointer ? ajv.getSchema(`openapi${pointer}`) : ajv.compile(schema);
  if (!validate) return `no schema ${pointer}`;
  return validate(body) ? undefined : ajv.errorsText(validate.errors);
}

const sessionId = fc.oneof({ weight: 6, arbitrary: fc.constant('there') }, { weight: 1, arbitrary: wildText });
/** Stands for the newest turn of the session: hardly any other can be chosen from or regenerated. */
const NEWEST = 'newest';
const turnId = fc.oneof({ weight: 2, arbitrary: fc.constant(NEWEST) }, { weight: 1, arbitrary: wildText });
const query = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('pageSize', 'pageToken', 'order', 'other'), wildText)
      .map(([name, value]) => `?${name}=${encodeURIComponent(value)}`),
  },
);
const headers = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { 'if-match': '"1"' },
      { 'if-match': '*' },
      { 'idempotency-key': 'k' },
      { prefer: 'respond-async' },
      { 'last-event-id': '1-1' },
      { accept: 'text/html' },
      { accept: '*/*' },
      { 'content-type': 'text/plain' },
    ),
  },
);

const requests = fc.constantFrom(...operations).chain((operation) =>
  fc.record({
    operation: fc.constant(operation),
    sessionId,
    turnId,
    query,
    headers,
    body: operation.body ? fromSchema(operation.body, components) : fc.constant(undefined),
  }),
);

test(`${RUNS} requests made from the schemas get documented answers, and never a 5xx`, {
  timeout: 120_000,
}, async () => {
  await using scene = await startScene({ ANSWER_SIZE_MAX: '100000' });
  /** Of the session that is there: also when it was deleted, or a short `ttl` was patched into it. */
  const newestTurn = async (): Promise<string> => {
    const { status, json } = await scene.client.get('/v1/sessions/there/turns?pageSize=1');
    if (status === 404) await scene.client.session({ id: 'there' });
    return json.turns?.[0]?.turnId ?? 'none';
  };
  const seen = new Map<number, number>();
  let turnsReached = 0;
  const property = fc.asyncProperty(requests, async ({ operation, body, ...request }) => {
    const newest = operation.path.includes('{sessionId}') ? await newestTurn() : '';
    const path = operation.path
      .replace('{sessionId}', encodeURIComponent(request.sessionId))
      .replace('{turnId}', request.turnId === NEWEST ? newest : encodeURIComponent(request.turnId));
    const isJson = body !== undefined;
    const answer = await send(`${scene.service.url}${path}${request.query}`, operation.method, {
      headers: request.headers,
      isEndless: operation.path.endsWith('/events'),
      ...(isJson ? { body: JSON.stringify(body) } : {}),
    });
    // A wild path may lead to another operation, or to none: a segment that is empty, or that a URL takes for a step.
    const isOther = [request.sessionId, request.turnId].some((id) => ['', '.', '..'].includes(id));
    seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
    expect(answer.status).toBeLessThan(500);
    if (isOther) return;
    const documented = operation.responses[answer.status];
    const isRouterRefusal = answer.status === 414;
    expect(documented !== undefined || isRouterRefusal, `${operation.method} ${path}: ${answer.status}`).toBe(true);
    const type = String(answer.headers['content-type'] ?? '').split(';')[0] ?? '';
    const schema = documented?.content?.[type]?.schema;
    if (schema && type.endsWith('json')) expect(misfit(schema, answer.json)).toBeUndefined();
    if (operation.path.includes('{turnId}') && request.turnId === NEWEST && answer.status !== 404) turnsReached += 1;
  });
  await fc.assert(property, { numRuns: RUNS });
  // The requests have to reach beyond validation, or they would prove nothing.
  expect(seen.get(200) ?? 0).toBeGreaterThan(RUNS / 10);
  expect(seen.get(201) ?? 0).toBeGreaterThan(20);
  expect(seen.get(400) ?? 0).toBeGreaterThan(100);
  expect(turnsReached).toBeGreaterThan(50);
});
