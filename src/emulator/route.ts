// Which API, model and method a request is addressed to, and which wire it speaks.
import { failedPrecondition, GoogleError } from './google-error.ts';
import { isObject } from './json.ts';

export type Api = 'vertex' | 'developer';

export type WireName = 'gemini' | 'predict';

type Method = {
  /** Undefined where both wires have a method of that name. */
  readonly wire: WireName | undefined;
  readonly answersWith: 'document' | 'stream' | 'token count';
};

export type Route = Method & {
  readonly api: Api;
  /** As Google names it: `projects/…/models/chat-bison@002`. */
  readonly resource: string;
  readonly model: string;
  readonly isEndpoint: boolean;
  readonly method: string;
  readonly isSse: boolean;
};

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['generateContent', { wire: 'gemini', answersWith: 'document' }],
  ['streamGenerateContent', { wire: 'gemini', answersWith: 'stream' }],
  ['predict', { wire: 'predict', answersWith: 'document' }],
  ['serverStreamingPredict', { wire: 'predict', answersWith: 'stream' }],
  ['countTokens', { wire: undefined, answersWith: 'token count' }],
]);

// `/v1/` and what a gateway may have before it are no part of the name.
const TARGET = /\/((?:(?:projects|publishers)\/.*\/)?(models|endpoints|tunedModels)\/([^/:]+)):([A-Za-z]+)$/;

/** Undefined when no such path or method exists. */
export function routeOf(verb: string | undefined, address: string | undefined): Route | undefined {
  const url = URL.parse(address ?? '', 'http://emulator');
  const path = url && decoded(url.pathname);
  if (verb !== 'POST' || !url || path === undefined || path === null) return undefined;
  const [, resource = '', collection, model = '', method = ''] = TARGET.exec(path) ?? [];
  const known = METHODS.get(method);
  if (!known) return undefined;
  // The Developer API has models at the top; express mode is Vertex without project, but keeps `publishers/`.
  const isEndpoint = collection === 'endpoints';
  const api = isEndpoint || /^(projects|publishers)\//.test(resource) ? 'vertex' : 'developer';
  if (api === 'developer' && known.wire === 'predict') return undefined;
  const isSse = url.searchParams.get('alt') === 'sse';
  return { ...known, api, resource, model, isEndpoint, method, isSse };
}

/** Fails where a family of models never spoke the wire. Any other model may be a tuned one of either family. */
export function wireOf(route: Route, body: unknown): WireName {
  const { api, model, method } = route;
  const wire =
    route.wire ?? (api === 'vertex' && isObject(body) && body.instances !== undefined ? 'predict' : 'gemini');
  // What is deployed at an endpoint, its name does not tell.
  if (route.isEndpoint) return wire;
  if (wire === 'predict' && model.startsWith('gemini-')) {
    throw failedPrecondition(
      'Gemini cannot be accessed through Vertex Predict/RawPredict API. Please follow https://cloud.google.com/vertex-ai/docs/generative-ai/start/quickstarts/quickstart-multimodal for Gemini usage.',
    );
  }
  if (wire === 'gemini' && model.startsWith('chat-bison')) {
    if (api === 'vertex') throw failedPrecondition(`${model} is not supported in the ${method} API.`);
    throw new GoogleError(
      404,
      `models/${model} is not found for API version v1beta, or is not supported for ${method}. Call ListModels to see the list of available models and their supported methods.`,
    );
  }
  return wire;
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined; // a broken escape: such a path does not exist
  }
}
