// What callers may name: models, projects, and what tools lead to. The model is asked with the service's own rights, so whatever a
// request names is reached with them; without these rules a caller could read through the service what is closed to him.

import { ChatError } from './errors.ts';
import type { GroundingSource, ModelRequest } from './language-model.ts';
import { isListed, type ModelList } from './model-lists.ts';
import type { Opaque } from './settings.ts';
import { spelling } from './spelling.ts';

export interface Permissions {
  /** A model has to be on each of them. Asked at every use: the lists may change while the service runs. */
  modelListsOf(owner: string): readonly ModelList[];
  /** Whose resources may be named; absent: everybody's. */
  readonly projects?: ReadonlySet<string> | undefined;
  /** Buckets and hosts (`gs://bucket`, `https://host`), or folders there, whose files may be named in messages. */
  readonly fileUris: readonly string[];
}

/** The members of a request or a configuration that name something. */
export interface Naming {
  readonly model?: string | undefined;
  readonly tools?: readonly Opaque[] | null | undefined;
  readonly toolConfig?: Opaque | null | undefined;
  readonly groundingSource?: GroundingSource | undefined;
}

export function namingOf({ model, settings, groundingSource }: ModelRequest): Naming {
  const { tools, toolConfig } = settings;
  return { model, tools, toolConfig, groundingSource };
}

/** Fails with `forbidden`, saying what must not be named. */
export function checkNaming(naming: Naming, owner: string, permissions: Permissions): void {
  const refusal = refusedNaming(naming, owner, permissions);
  if (refusal) throw refusal;
}

/** Same, for who has to say it later. */
export function refusedNaming(naming: Naming, owner: string, permissions: Permissions): ChatError | undefined {
  const { model, groundingSource } = naming;
  const tools = [...(naming.tools ?? []), naming.toolConfig ?? {}];
  if (model !== undefined && !permissions.modelListsOf(owner).every((list) => isListed(model, list))) {
    return new ChatError('forbidden', `The model ${model} may not be used by this caller.`);
  }
  if (tools.some(holdsCredential))
    return new ChatError('forbidden', 'A tool may not name an API or credentials to be used with it.');
  const { projects } = permissions;
  if (!projects) return undefined;
  const named = [model ?? '', ...tools.flatMap(reachedNames)].flatMap(projectsIn);
  if (groundingSource?.type === 'vertexAiSearch' && groundingSource.project !== undefined) {
    named.push(groundingSource.project);
  }
  const foreign = named.find((project) => !projects.has(project));
  if (foreign === undefined) return undefined;
  return new ChatError('forbidden', `Nothing of the project ${foreign} may be used through this service.`);
}

/** Of resource names, also full ones: `//discoveryengine.googleapis.com/projects/p/…`. */
function projectsIn(text: string): readonly string[] {
  return [...text.matchAll(/(?:^|\/)projects\/([^/]*)/g)].map(([, project = '']) => project);
}

/** Function declarations are schemas and prose: nothing that they say is fetched by anybody. */
const DECLARATIONS = spelling('functionDeclarations');

/** Whatever else a tool says, also one that nobody has heard of yet. */
function reachedNames(tool: Opaque): readonly string[] {
  return Object.entries(tool).flatMap(([name, value]) => (spelling(name) === DECLARATIONS ? [] : stringsOf(value)));
}

function stringsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}

/**
 * `retrieval.externalApi` is an address that Google calls, and these say with which secret or service account of the
 * project: a caller could have any of them used, at a place of his choice.
 */
const CREDENTIALS = new Set(['externalApi', 'apiAuth', 'authConfig'].map(spelling));

function holdsCredential(tool: Opaque): boolean {
  return Object.entries(tool).some(([name, value]) => spelling(name) !== DECLARATIONS && hasCredential(name, value));
}

function hasCredential(name: string, value: unknown): boolean {
  if (CREDENTIALS.has(spelling(name))) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([inner, member]) => hasCredential(inner, member));
}
