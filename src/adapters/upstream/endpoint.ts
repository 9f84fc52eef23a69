// Where the model is, and how its URLs are made. No value of a caller reaches a path unescaped.

import { ChatError } from '../../chat/errors.ts';

export type Backend =
  | { readonly kind: 'vertex'; readonly project: string; readonly location: string; readonly baseUrl?: string }
  | { readonly kind: 'gemini-api'; readonly apiKey: string; readonly baseUrl?: string }
  /** A plain-HTTP stand-in for Vertex AI, without credentials. */
  | { readonly kind: 'emulator'; readonly address: string; readonly project: string; readonly location: string };

export type Method = 'generateContent' | 'streamGenerateContent' | 'predict' | 'serverStreamingPredict' | 'countTokens';

/** Those that stream answer with events instead of one growing JSON array. */
const STREAMED: ReadonlySet<Method> = new Set(['streamGenerateContent', 'serverStreamingPredict']);

/** Multi-regions have hosts of their own. */
const MULTI_REGIONS = new Set(['us', 'eu']);

/** The origin and path prefix of a backend, without a slash at the end. A model may be in another location than the rest. */
export function baseUrlOf(backend: Backend, location?: string): string {
  switch (backend.kind) {
    case 'vertex':
      return trimmed(backend.baseUrl ?? vertexHost(location ?? backend.location));
    case 'gemini-api':
      return trimmed(backend.baseUrl ?? 'https://generativelanguage.googleapis.com');
    case 'emulator':
      return `http://${backend.address}`;
    default:
      return backend satisfies never;
  }
}

function vertexHost(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com';
  if (MULTI_REGIONS.has(location)) return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}

/** Every turn calls, and few models are called. */
const known = new WeakMap<Backend, Map<string, string>>();
const KNOWN_MAX = 1000;

/** Fails with `unsupported_by_model` when the backend cannot serve a model of this form. */
export function methodUrl(backend: Backend, model: string, method: Method): string {
  const urls = known.get(backend) ?? new Map<string, string>();
  const name = `${method} ${model}`;
  const url = urls.get(name) ?? newUrl(backend, model, method);
  if (urls.size >= KNOWN_MAX) urls.clear();
  known.set(backend, urls.set(name, url));
  return url;
}

function newUrl(backend: Backend, model: string, method: Method): string {
  const query = STREAMED.has(method) ? '?alt=sse' : '';
  return `${baseUrlOf(backend, locationIn(model))}${modelPath(backend, model)}:${method}${query}`;
}

function locationIn(model: string): string | undefined {
  return /^projects\/[^/]+\/locations\/([a-z0-9-]+)\//.exec(model)?.[1];
}

/** Dots alone would be folded away with the segment before them, by whoever parses the URL. */
const MODEL_SEGMENT = /^(?!\.+$)[A-Za-z0-9@._-]+$/;

function modelPath(backend: Backend, model: string): string {
  if (!model.split('/').every((segment) => MODEL_SEGMENT.test(segment))) {
    throw new ChatError('unsupported_by_model', 'This is no name of a model.');
  }
  const escaped = model.split('/').map(encodeURIComponent).join('/');
  if (backend.kind === 'gemini-api') {
    if (!model.includes('/')) return `/v1beta/models/${escaped}`;
    throw new ChatError('unsupported_by_model', 'The Gemini Developer API knows no publishers and no endpoints.');
  }
  if (model.startsWith('projects/')) return `/v1/${escaped}`;
  const location = `/v1/projects/${encodeURIComponent(backend.project)}/locations/${encodeURIComponent(backend.location)}`;
  return model.startsWith('publishers/') ? `${location}/${escaped}` : `${location}/publishers/google/models/${escaped}`;
}
