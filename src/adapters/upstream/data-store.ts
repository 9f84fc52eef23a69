// The name of a Vertex AI Search data store, as both wires want it.

import type { GroundingSource } from '../../chat/language-model.ts';

type SearchSource = Extract<GroundingSource, { type: 'vertexAiSearch' }>;

/** `project` is for sources that name none of their own. */
export function dataStoreName(source: SearchSource, project: string | undefined): string {
  const collection = `projects/${source.project ?? project ?? '-'}/locations/${source.location}/collections/default_collection`;
  return `${collection}/dataStores/${source.dataStoreId}`;
}
