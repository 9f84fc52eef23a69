// Which model backend, from the environment: said by MODEL_BACKEND, or inferred where it is clear, with the names that
// Google's own SDKs use.

import type { Environment } from './environment.ts';

export type ModelBackend =
  | { readonly kind: 'vertex'; readonly project: string; readonly location: string; readonly baseUrl?: string }
  | { readonly kind: 'gemini-api'; readonly apiKey: string; readonly baseUrl?: string }
  | { readonly kind: 'emulator'; readonly address: string; readonly project: string; readonly location: string }
  /** Nothing is configured: the emulator in this process answers. */
  | { readonly kind: 'built-in' };

/** The stand-in takes any project in its paths. */
const EMULATOR_PROJECT = 'emulator';

/** What is wrong is added to `problems`, named by its variable. */
export function readModelBackend(env: Environment, problems: string[]): ModelBackend {
  switch (chosenKind(env, problems)) {
    case 'emulator':
      return readEmulator(env, problems);
    case 'vertex':
      return readVertex(env, problems);
    case 'gemini-api':
      return readGeminiApi(env, problems);
    case undefined:
      if (env.NODE_ENV === 'production') {
        problems.push(
          'no model backend: set GOOGLE_CLOUD_PROJECT (Vertex AI), GEMINI_API_KEY (Gemini Developer API) or ' +
            'VERTEX_AI_EMULATOR_HOST; the built-in emulator does not answer with NODE_ENV=production',
        );
      }
      return { kind: 'built-in' };
    default:
      // A word that is none of these has been refused by its variable already.
      return { kind: 'built-in' };
  }
}

/** Commas too many are no error. */
export function readPredictModels({ PREDICT_MODELS = '' }: Environment, problems: string[]): readonly string[] {
  const names = PREDICT_MODELS.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  for (const name of names) {
    if (!/^[A-Za-z0-9@._/-]+$/.test(name))
      problems.push(`PREDICT_MODELS: ${name} is no model id, nor the beginning of one`);
  }
  return names;
}

type Kind = 'emulator' | 'vertex' | 'gemini-api';

function chosenKind(env: Environment, problems: string[]): Kind | undefined {
  // As with Google's other emulators, the emulator's address wins over everything else.
  if (env.VERTEX_AI_EMULATOR_HOST !== undefined) return 'emulator';
  if (env.MODEL_BACKEND !== undefined) return env.MODEL_BACKEND;
  if (env.GOOGLE_GENAI_USE_VERTEXAI !== undefined)
    return isTrue(env.GOOGLE_GENAI_USE_VERTEXAI) ? 'vertex' : 'gemini-api';
  const hasProject = env.GOOGLE_CLOUD_PROJECT !== undefined;
  const hasKey = apiKeyOf(env) !== undefined;
  if (hasProject && hasKey) {
    problems.push(
      'GOOGLE_CLOUD_PROJECT and GEMINI_API_KEY are both set: say which with MODEL_BACKEND=vertex or gemini-api',
    );
  }
  if (hasProject) return 'vertex';
  return hasKey ? 'gemini-api' : undefined;
}

function readEmulator(env: Environment, problems: string[]): ModelBackend {
  const address = env.VERTEX_AI_EMULATOR_HOST;
  if (address === undefined) problems.push('VERTEX_AI_EMULATOR_HOST is missing for MODEL_BACKEND=emulator');
  else checkUrl('VERTEX_AI_EMULATOR_HOST', `http://${address}`, problems);
  const project = env.GOOGLE_CLOUD_PROJECT ?? EMULATOR_PROJECT;
  return { kind: 'emulator', address: address ?? '', project, location: env.GOOGLE_CLOUD_LOCATION };
}

function readVertex(env: Environment, problems: string[]): ModelBackend {
  if (env.GOOGLE_CLOUD_PROJECT === undefined) problems.push('GOOGLE_CLOUD_PROJECT is missing for Vertex AI');
  const project = env.GOOGLE_CLOUD_PROJECT ?? '';
  const location = env.GOOGLE_CLOUD_LOCATION;
  const baseUrl = env.GOOGLE_VERTEX_BASE_URL;
  if (baseUrl !== undefined) checkUrl('GOOGLE_VERTEX_BASE_URL', baseUrl, problems);
  return { kind: 'vertex', project, location, ...(baseUrl === undefined ? {} : { baseUrl }) };
}

function readGeminiApi(env: Environment, problems: string[]): ModelBackend {
  const apiKey = apiKeyOf(env);
  if (apiKey === undefined) problems.push('GEMINI_API_KEY is missing for the Gemini Developer API');
  const baseUrl = env.GOOGLE_GEMINI_BASE_URL;
  if (baseUrl !== undefined) checkUrl('GOOGLE_GEMINI_BASE_URL', baseUrl, problems);
  return { kind: 'gemini-api', apiKey: apiKey ?? '', ...(baseUrl === undefined ? {} : { baseUrl }) };
}

/** What a pattern does not see: a port or an address that does not exist. */
function checkUrl(name: string, url: string, problems: string[]): void {
  if (!URL.canParse(url)) problems.push(`${name} names a host or a port that cannot be`);
}

function apiKeyOf(env: Environment): string | undefined {
  return env.GEMINI_API_KEY ?? env.GOOGLE_API_KEY;
}

function isTrue(flag: string): boolean {
  return flag === '1' || flag.toLowerCase() === 'true';
}
