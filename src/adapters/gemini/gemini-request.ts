// From a domain request to the body of `generateContent`. Source: the Gemini API reference, version v1 of Vertex AI and
// v1beta of the Developer API; field names in camelCase.

import { textPart } from '../../chat/content.ts';
import type { GroundingSource, ModelRequest } from '../../chat/language-model.ts';
import type { GenerationSettings, Opaque } from '../../chat/settings.ts';
import { dataStoreName } from '../upstream/data-store.ts';
import { withContents } from './gemini-contents.ts';

export type WireFields = Readonly<Record<string, unknown>>;

export interface RequestContext {
  /** For data stores that name no project of their own. */
  readonly project?: string;
}

/** Settings that live in `generationConfig` under their own name; the others stand beside it. */
const GENERATION_CONFIG = [
  'temperature',
  'topK',
  'topP',
  'maxOutputTokens',
  'stopSequences',
  'seed',
  'presencePenalty',
  'frequencyPenalty',
  'responseMimeType',
  'responseJsonSchema',
  'thinkingConfig',
] as const satisfies readonly (keyof GenerationSettings)[];

const BESIDE = ['safetySettings', 'toolConfig', 'labels'] as const satisfies readonly (keyof GenerationSettings)[];

/** The JSON of the body; `more` are fields beside those of the request. */
export function wireRequest(request: ModelRequest, context: RequestContext, more: WireFields = {}): Uint8Array {
  return written('', request, { ...wireFields(request, context), ...more });
}

/** `around` opens an object that the request is a member of; it is closed again. */
function written(around: string, request: ModelRequest, fields: WireFields): Uint8Array {
  const beside = JSON.stringify(fields).slice(1);
  const after = `${beside === '}' ? '' : ','}${beside}${around === '' ? '' : '}'}`;
  return withContents(`${around}{"contents":`, request, after);
}

/** All but the contents. */
function wireFields(request: ModelRequest, context: RequestContext): WireFields {
  const { settings, candidateCount, groundingSource } = request;
  const system = systemTexts(request).map(textPart);
  const generationConfig = {
    ...pick(settings, GENERATION_CONFIG),
    ...(candidateCount === undefined ? {} : { candidateCount }),
  };
  const tools = withGrounding(settings.tools ?? [], groundingSource, context);
  return {
    ...(system.length > 0 ? { systemInstruction: { role: 'user', parts: system } } : {}),
    ...(Object.keys(generationConfig).length > 0 ? { generationConfig } : {}),
    ...pick(settings, BESIDE),
    ...(tools.length > 0 ? { tools } : {}),
  };
}

/** Inline context has no field on this wire: it becomes part of the system instruction, of this request only. */
function systemTexts({ context, groundingSource }: ModelRequest): readonly string[] {
  const inline = groundingSource?.type === 'inlineContext' ? groundingSource.inlineContext : '';
  const texts = [context ?? ''];
  if (inline !== '') texts.push(`Answer from the following context.\n\n${inline}`);
  return texts.filter((text) => text !== '');
}

/** The tools of the request, and the one that grounds its answer, unless it is among them. */
function withGrounding(
  tools: readonly Opaque[],
  source: GroundingSource | undefined,
  context: RequestContext,
): readonly Opaque[] {
  switch (source?.type) {
    case 'webSearch':
      return tools.some(({ googleSearch }) => googleSearch !== undefined) ? tools : [...tools, { googleSearch: {} }];
    case 'vertexAiSearch':
      return [...tools, { retrieval: { vertexAiSearch: { datastore: dataStoreName(source, context.project) } } }];
    case 'inlineContext':
    case undefined:
      return tools;
    default:
      return source satisfies never;
  }
}

/** From a domain request to the body of `countTokens`: what the Developer API reads stands one level deeper there. */
export function countRequest(request: ModelRequest, context: RequestContext, isDeveloperApi: boolean): Uint8Array {
  if (isDeveloperApi) {
    const fields = { model: `models/${request.model}`, ...wireFields(request, context) };
    return written('{"generateContentRequest":', request, fields);
  }
  const { systemInstruction, tools, generationConfig } = wireFields(request, context);
  return written('', request, { systemInstruction, tools, generationConfig });
}

function pick(settings: GenerationSettings, names: readonly (keyof GenerationSettings)[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]));
}
