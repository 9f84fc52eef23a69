// Which API, model and method a request is addressed to. Everything the real hosts serve ends in one of three shapes.
import type { Api } from './wire.ts';

export type Method = 'generateContent' | 'streamGenerateContent' | 'countTokens';

export type Route = {
  readonly api: Api;
  readonly model: string;
  readonly method: Method;
  readonly isSse: boolean;
};

const TARGET = /\/(models|endpoints|tunedModels)\/([^/:]+):([A-Za-z]+)$/;
const METHODS: readonly string[] = ['generateContent', 'streamGenerateContent', 'countTokens'] satisfies Method[];

/** Undefined when no such path or method exists. */
export function routeOf(verb: string | undefined, address: string | undefined): Route | undefined {
  const url = URL.parse(address ?? '', 'http://emulator');
  const path = url && decoded(url.pathname);
  if (verb !== 'POST' || !url || path === undefined || path === null) return undefined;
  const [, collection, model, method] = TARGET.exec(path) ?? [];
  if (model === undefined || !isMethod(method)) return undefined;
  // The Developer API has models at the top; express mode is Vertex without project, but keeps `publishers/`.
  const isVertex = collection === 'endpoints' || /\/(projects|publishers)\//.test(path);
  return { api: isVertex ? 'vertex' : 'developer', model, method, isSse: url.searchParams.get('alt') === 'sse' };
}

function isMethod(method: string | undefined): method is Method {
  return method !== undefined && METHODS.includes(method);
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined; // a broken escape: such a path does not exist
  }
}
