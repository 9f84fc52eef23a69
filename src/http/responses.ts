// Answers that recur in the document of the API.

import type { TSchema } from 'typebox';
import type { ProblemCode } from '../chat/errors.ts';
import { PROBLEM_MEDIA_TYPE, statusOf } from './problems.ts';
import { Problem } from './schemas/problem.ts';
import { ref } from './schemas/schema.ts';

interface Header {
  readonly [name: string]: { readonly type: 'string' | 'integer'; readonly description: string };
}

export const ETAG: Header = { ETag: { type: 'string', description: 'The quoted version, for `If-Match`.' } };
export const SESSION_LOCATION: Header = { Location: { type: 'string', description: 'The session.' } };
export const TURN_ADDRESS: Header = {
  Location: { type: 'string', description: 'The turn; also on problems, once there is a turn.' },
  'Turn-Id': { type: 'string', description: 'The id of the turn.' },
};

/** On all answers to which a rate limit applies; here, on those that every client reads. */
const RATE_LIMIT: Header = {
  'RateLimit-Policy': { type: 'string', description: 'How many requests are allowed: `"owner";q=6000;w=60`.' },
  RateLimit: {
    type: 'string',
    description:
      'How many are left (`r`, `a`), and for how many seconds (`t`, `w`): `"owner";r=5990;t=12;a=5990;w=12`.',
  },
};

export function json(description: string, schema: TSchema & { $id: string }, headers: Header = {}) {
  return {
    description,
    headers: { ...headers, ...RATE_LIMIT },
    content: { 'application/json': { schema: ref(schema) } },
  };
}

export function eventStream(description: string, schema: TSchema, headers: Header = {}) {
  return { description, headers: { ...headers, ...RATE_LIMIT }, content: { 'text/event-stream': { schema } } };
}

/** What any operation may answer. */
const EVERYWHERE: readonly ProblemCode[] = [
  'invalid_argument',
  'not_acceptable',
  'uri_too_long',
  'rate_limited',
  'headers_too_large',
  'internal',
];
const WITH_BODY: readonly ProblemCode[] = ['payload_too_large', 'unsupported_media_type'];
const WITH_STORE: readonly ProblemCode[] = ['store_unavailable'];
const WITH_IDENTITY: readonly ProblemCode[] = ['unauthenticated', 'forbidden', 'identity_unavailable'];

/** The problems of an operation, by status, with their codes. */
export function problems(options: { hasBody: boolean }, ...codes: readonly ProblemCode[]): Record<number, object> {
  return answersOf([...EVERYWHERE, ...WITH_IDENTITY, ...WITH_STORE, ...(options.hasBody ? WITH_BODY : []), ...codes]);
}

/** Of an operation that answers with nothing but these. */
export function answersOf(all: readonly ProblemCode[]): Record<number, object> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of all) byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      {
        description: names.map((code) => `\`${code}\``).join(', '),
        headers: {
          ...(RETRY_STATUSES.has(status) ? RETRY_AFTER : {}),
          ...(CHALLENGE_STATUSES.has(status) ? CHALLENGE : {}),
          ...(names.includes('rate_limited') ? RATE_LIMIT : {}),
        },
        content: { [PROBLEM_MEDIA_TYPE]: { schema: ref(Problem) } },
      },
    ]),
  );
}

const RETRY_STATUSES = new Set([409, 429, 503]);
const RETRY_AFTER: Header = { 'Retry-After': { type: 'integer', description: 'Seconds.' } };

const CHALLENGE_STATUSES = new Set([401, 403]);
const CHALLENGE: Header = { 'WWW-Authenticate': { type: 'string', description: 'What has to be sent.' } };

export const NO_CONTENT: object = { type: 'null', description: 'Done.' };
