// What an answer may be: of a documented status, with a body that fits its schema, and to nobody what is somebody else's.

import { EVENTS } from '../src/http/schemas/events.ts';
import { components, misfit } from './document.ts';
import type { Caller, FuzzRequest } from './requests.ts';

export interface FuzzAnswer {
  readonly status: number;
  /** Without its parameters. */
  readonly mediaType: string;
  readonly text: string;
}

/** What is wrong with the answer, if anything is. */
export function faultOf(request: FuzzRequest, answer: FuzzAnswer): string | undefined {
  const { status } = answer;
  if (status === 500) return 'answers 500';
  const identity = identityFault(request, status);
  if (identity) return identity;
  // A wild id may lead to another operation, or to none: an empty segment, or one that a URL takes for a step.
  if ([request.sessionId, request.turnId].some((id) => ['', '.', '..'].includes(id))) return undefined;
  const documented = request.operation.responses[status];
  if (!documented) return `answers ${status}, which is not documented`;
  return bodyFault(documented.content ?? {}, answer);
}

const WITHOUT_IDENTITY: readonly Caller[] = ['nobody', 'unknown', 'expired'];

function identityFault({ operation, caller }: FuzzRequest, status: number): string | undefined {
  if (operation.isOpen || !WITHOUT_IDENTITY.includes(caller)) return undefined;
  // What is refused before anybody is asked: the shape of the request.
  return [400, 401, 403, 414, 415].includes(status) ? undefined : `answers ${status} to ${caller}`;
}

function bodyFault(
  content: Readonly<Record<string, { readonly schema: object }>>,
  answer: FuzzAnswer,
): string | undefined {
  const { mediaType, text, status } = answer;
  if (Object.keys(content).length === 0) return text === '' ? undefined : `has a body with ${status}`;
  const described = content[mediaType];
  if (!described) return `answers ${status} as ${mediaType || 'nothing'}`;
  if (mediaType === 'text/event-stream') return streamFault(text);
  if (!mediaType.endsWith('json')) return undefined;
  const json = parsed(text);
  if (json === undefined) return `answers ${status} with what is no JSON`;
  return misfit(described.schema as never, json);
}

/** Whole frames, each of an event that the document knows; the last one may be cut off, with the connection. */
function streamFault(text: string): string | undefined {
  for (const frame of text.split('\n\n').slice(0, -1)) {
    if (frame.startsWith(':')) continue;
    const [, , event = '', data = ''] = /^id: (\S+)\nevent: (\S+)\ndata: (.*)$/.exec(frame) ?? [];
    const schema = EVENTS[event];
    if (!schema) return `streams an unknown frame: ${frame.slice(0, 100)}`;
    const json = parsed(data);
    const reference = `#/components/schemas/${schema.$id}`;
    const fault = components.has(reference) ? misfit({ $ref: reference }, json) : `no schema ${reference}`;
    if (fault) return `streams ${event}: ${fault}`;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
