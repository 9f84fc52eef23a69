// Generation settings: the same names on a session, as defaults, and on a send, as overrides.

import { invalidField } from './errors.ts';

/** JSON that passes through to the model value-faithfully. */
export type Opaque = Readonly<Record<string, unknown>>;

export interface SafetySetting {
  readonly category: string;
  readonly threshold: string;
  readonly method?: string;
}

export interface ThinkingConfig {
  readonly includeThoughts?: boolean;
  readonly thinkingBudget?: number;
  readonly thinkingLevel?: string;
}

export interface GenerationSettings {
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly stopSequences?: readonly string[];
  readonly seed?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly responseMimeType?: string;
  readonly responseJsonSchema?: Opaque;
  readonly thinkingConfig?: ThinkingConfig;
  readonly safetySettings?: readonly SafetySetting[];
  readonly tools?: readonly Opaque[];
  readonly toolConfig?: Opaque;
  readonly labels?: Readonly<Record<string, string>>;
}

export const LABEL_PAIRS_MAX = 64;

/** The names of all settings, once; `satisfies` makes a forgotten one a compile error. */
export const SETTING_NAMES = Object.keys({
  maxOutputTokens: 1,
  temperature: 1,
  topK: 1,
  topP: 1,
  stopSequences: 1,
  seed: 1,
  presencePenalty: 1,
  frequencyPenalty: 1,
  responseMimeType: 1,
  responseJsonSchema: 1,
  thinkingConfig: 1,
  safetySettings: 1,
  tools: 1,
  toolConfig: 1,
  labels: 1,
} satisfies Record<keyof GenerationSettings, 1>) as readonly (keyof GenerationSettings)[];

/** Settings of one send: `null` clears the session's default, an absent field inherits it. */
export type SettingOverrides = {
  readonly [K in keyof GenerationSettings]?: GenerationSettings[K] | null;
};

/** The settings of one request. Field by field: an override replaces its field whole, and `0` and `[]` are values. */
export function mergeSettings(defaults: GenerationSettings, overrides: SettingOverrides): GenerationSettings {
  const merged: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const override = overrides[name];
    const value = override === undefined ? defaults[name] : override;
    if (value !== undefined && value !== null) merged[name] = value;
  }
  return merged;
}

/**
 * Refuses, with `invalid_argument`, what no model can do because the settings of one request exclude each other. Each of
 * them may be right by itself, so this is for those that have been merged.
 */
export function checkSettings({ responseMimeType = 'text/plain', ...settings }: GenerationSettings): void {
  checkDefaults({ responseMimeType, ...settings });
}

/** Same for the defaults of a session: what was not said there may still be said by a send. */
export function checkDefaults({ responseJsonSchema, responseMimeType, thinkingConfig }: GenerationSettings): void {
  if (responseJsonSchema !== undefined && responseMimeType === 'text/plain') {
    throw invalidField('/responseJsonSchema', 'needs responseMimeType application/json: plain text has no schema');
  }
  if (thinkingConfig?.thinkingBudget !== undefined && thinkingConfig.thinkingLevel !== undefined) {
    throw invalidField('/thinkingConfig', 'must hold either thinkingBudget or thinkingLevel, not both');
  }
}
