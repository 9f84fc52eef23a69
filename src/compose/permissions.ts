// What callers may name, with the list by owner as its file has it now.

import type { FastifyBaseLogger } from 'fastify';
import type { Permissions } from '../chat/permissions.ts';
import { parseOwnerModels } from '../config/permission-config.ts';
import { FILE_LOOK_MS, WatchedFile } from '../config/watched-file.ts';
import type { Config } from '../config.ts';
import { fileReporter } from '../reporter.ts';

export function openPermissions(
  { permissions }: Config,
  logger: FastifyBaseLogger,
): { readonly permissions: Permissions; readonly stopWatching: () => void } {
  const { models, ownerModels, projects, fileUris } = permissions;
  const everybody = models ? [models] : [];
  const rules = { projects, fileUris };
  if (!ownerModels) return { permissions: { ...rules, modelListsOf: () => everybody }, stopWatching: () => undefined };
  const file = new WatchedFile({
    path: ownerModels.path,
    first: ownerModels.text,
    parse: parseOwnerModels,
    everyMs: FILE_LOOK_MS,
    onChange: fileReporter('MODEL_ALLOW_FILE', logger),
  });
  const modelListsOf = (owner: string) => {
    const own = file.value.get(owner) ?? file.value.get('*');
    return own ? [...everybody, own] : everybody;
  };
  return { permissions: { ...rules, modelListsOf }, stopWatching: () => file.close() };
}
