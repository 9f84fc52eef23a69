// What callers may name, from the environment: models, by deployment and by owner, projects, and files.

import { isListed, type ModelList } from '../chat/model-lists.ts';
import type { Environment } from './environment.ts';
import type { ModelBackend } from './model-config.ts';
import { parseJsonText, type ReadFile, readTextFile } from './watched-file.ts';

export interface PermissionSettings {
  /** Of the whole deployment; absent: every model. */
  readonly models?: ModelList;
  /** Lists of owners that narrow it, as they are now, and where they are read again. */
  readonly ownerModels?: ReadFile;
  /** Absent: every project. */
  readonly projects?: ReadonlySet<string>;
  readonly fileUris: readonly string[];
}

/** By owner; `*` is everybody who is not in it. */
export type OwnerModels = ReadonlyMap<string, ModelList>;

/** What is wrong is added to `problems`, named by its variable. */
export function readPermissions(
  env: Environment,
  backend: ModelBackend,
  defaultModel: string | undefined,
  problems: string[],
): PermissionSettings {
  const models = env.MODEL_ALLOW === undefined ? undefined : itemsOf(env.MODEL_ALLOW);
  const bad = models?.find((entry) => !MODEL_ENTRY.test(entry));
  if (bad !== undefined) problems.push(`MODEL_ALLOW: ${bad} is no name of a model, nor the beginning of one and a *`);
  if (models && defaultModel !== undefined && !isListed(defaultModel, models)) {
    problems.push(`MODEL_ALLOW does not have ${defaultModel}, which is the DEFAULT_MODEL`);
  }
  const ownerModels = readOwnerModels(env.MODEL_ALLOW_FILE, problems);
  const projects = readProjects(env.PROJECT_ALLOW, backend, problems);
  return {
    ...(models ? { models } : {}),
    ...(ownerModels ? { ownerModels } : {}),
    ...(projects ? { projects } : {}),
    fileUris: itemsOf(env.FILE_URI_ALLOW ?? ''),
  };
}

const MODEL_ENTRY = /^[A-Za-z0-9@._/-]*\*?$/;

/** `{"owner": ["gemini-2.5-*"]}`. Fails when the text is anything else. */
export function parseOwnerModels(text: string): OwnerModels {
  const value: unknown = parseJsonText(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no JSON object');
  return new Map(
    Object.entries(value).map(([owner, list]) => {
      if (!isModelList(list)) throw new Error(`what it has for ${owner} is no list of models`);
      return [owner, list];
    }),
  );
}

function isModelList(list: unknown): list is ModelList {
  const isEntry = (entry: unknown) => typeof entry === 'string' && entry !== '' && MODEL_ENTRY.test(entry);
  return Array.isArray(list) && list.every(isEntry);
}

function readOwnerModels(path: string | undefined, problems: string[]): PermissionSettings['ownerModels'] {
  if (path === undefined) return undefined;
  try {
    const text = readTextFile(path);
    parseOwnerModels(text);
    return { path, text };
  } catch (error) {
    problems.push(`MODEL_ALLOW_FILE: ${path} ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

const PROJECT = /^[a-z0-9:.-]{1,128}$/;

/**
 * With real credentials only the deployment's own project, unless others are listed: another one would be reached with these
 * credentials. A stand-in has none, and an API key leads to no project.
 */
function readProjects(
  listed: string | undefined,
  backend: ModelBackend,
  problems: string[],
): ReadonlySet<string> | undefined {
  const own = backend.kind === 'vertex' ? [backend.project] : [];
  if (listed === undefined) return own.length > 0 ? new Set(own) : undefined;
  const projects = itemsOf(listed);
  const bad = projects.find((project) => !PROJECT.test(project));
  if (bad !== undefined) problems.push(`PROJECT_ALLOW: ${bad} is no project`);
  return new Set([...own, ...projects]);
}

/** Commas too many are no error. */
function itemsOf(list: string): readonly string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
