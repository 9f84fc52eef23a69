// Writes openapi.yaml from the schemas of the routes; with --check, says whether the committed file is still true.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import swagger from '@fastify/swagger';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { buildApp } from '../src/http/app.ts';
import type { EdgeDependencies } from '../src/http/edge.ts';
import { everybody } from '../src/identity/identity.ts';

const FILE = new URL('../openapi.yaml', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const INFO = {
  title: 'chat-session-proxy',
  version,
  summary: 'LLM chat sessions kept on the server, over REST and Server-Sent Events.',
  description: readFileSync(new URL('./openapi-description.md', import.meta.url), 'utf8'),
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
};

const TAGS = [
  { name: 'sessions', description: 'Configuration, lifetime and committed history; owned by one principal.' },
  { name: 'messages', description: 'The history, and the sends that make it grow.' },
  {
    name: 'turns',
    description: 'Every send is a turn, also one that failed; a turn with `messages` is in the history.',
  },
  { name: 'usage', description: 'Tokens, as the model reported them.' },
  { name: 'operations', description: 'For orchestrators and tools.' },
];

/** What `AUTH` asks for; with `none`, or behind a gateway that asks by itself, nothing. */
const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key (`AUTH=api-key`) or a token (`AUTH=jwt`).' },
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An API key (`AUTH=api-key`).' },
} as const;

async function document(): Promise<string> {
  const app = await buildApp({
    // Only the shape of the routes is looked at: none is ever called.
    sessions: undefined as unknown as EdgeDependencies['sessions'],
    logger: pino({ level: 'silent' }),
    paths: { basePath: '' },
    bodyLimits: { contentBytes: 20 * 1024 ** 2, smallBytes: 1024 ** 2 },
    sse: { heartbeatMs: 1, stallMs: 1, identityRecheckMs: 1 },
    streams: undefined as unknown as EdgeDependencies['streams'],
    rates: { quotas: { count: async () => undefined }, ownerRequestsPerMinute: 0, addressRequestsPerMinute: 0 },
    load: { eventLoopDelayMs: 0, heapBytes: 0, rssBytes: 0 },
    streamHeadersDelayMs: 1,
    identity: everybody,
    browsers: { origins: [], takesCookies: false, isPrivate: false },
    health: { isReady: async () => true, isDraining: () => false },
    server: {
      headersTimeoutMs: 1,
      requestTimeoutMs: 1,
      jsonDepthMax: 64,
      jsonValuesMax: 200_000,
      urlLengthMax: 8192,
      isGateway: () => false,
      connectionsMax: 0,
    },
    drain: async () => {},
    beforeRoutes: async (instance) => {
      await instance.register(swagger, {
        openapi: {
          openapi: '3.1.0',
          info: INFO,
          tags: TAGS,
          servers: [{ url: '/' }],
          components: { securitySchemes: SECURITY_SCHEMES },
          security: [{ bearer: [] }, { apiKey: [] }, {}],
        },
        refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
        transform: ({ schema, url }) => ({ schema: withReferences(schema) as typeof schema, url }),
        transformObject: (parts) => withoutIds('openapiObject' in parts ? parts.openapiObject : parts.swaggerObject),
      });
    },
  });
  const yaml = stringify(app.swagger(), { lineWidth: 120, aliasDuplicateObjects: false });
  await app.close();
  return `# Generated from the schemas of the routes: npm run openapi\n${yaml}`;
}

/** The validator takes `Session`; the document's tool wants `Session#`. */
function withReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withReferences);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const isReference = key === '$ref' && typeof child === 'string' && !child.includes('#');
      return [key, isReference ? `${child}#` : withReferences(child)];
    }),
  );
}

/** Where nothing has to be said, nothing has to be sent. */
function withOptionalBody(value: object): object {
  if (!('x-optional-body' in value && 'requestBody' in value)) return value;
  const { 'x-optional-body': _mark, requestBody, ...operation } = value;
  return { ...operation, requestBody: { ...(requestBody as object), required: false } };
}

/** Components are named by their place; `x-one-of` is for our own error texts. */
function withoutIds<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutIds) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(withOptionalBody(value)).filter(([key]) => key !== '$id' && key !== 'x-one-of');
  const references = entries.map(([key, child]) => {
    const isBare = key === '$ref' && typeof child === 'string' && !child.startsWith('#');
    return [key, isBare ? `#/components/schemas/${child.replace(/#$/, '')}` : withoutIds(child)];
  });
  return Object.fromEntries(references) as T;
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const wanted = await document();
if (!values.check) writeFileSync(FILE, wanted);
else if (readFileSync(FILE, 'utf8') !== wanted) {
  process.stderr.write('openapi.yaml is not what the schemas say: run `npm run openapi` and commit the result.\n');
  process.exit(1);
}
