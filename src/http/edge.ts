// What every route works with.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ChatSessions } from '../chat/chat-sessions.ts';
import type { PublicPaths } from './problems.ts';
import type { SseRules } from './sse-stream.ts';
import type { StreamPlaces } from './stream-places.ts';

export type Edge = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface BodyLimits {
  /** For bodies that carry contents: create, send, import, patch. */
  readonly contentBytes: number;
  readonly smallBytes: number;
}

export interface EdgeDependencies {
  readonly sessions: ChatSessions;
  readonly paths: PublicPaths;
  readonly bodyLimits: BodyLimits;
  readonly sse: SseRules;
  readonly streams: StreamPlaces;
  /** How long the headers of a stream wait for the first word of the model. */
  readonly streamHeadersDelayMs: number;
}

/** Registers one HTTP operation. */
export type Route = (app: Edge, deps: EdgeDependencies) => void;
