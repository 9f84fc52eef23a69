// What a send asks for, and the request it makes of a session, its history aside.

import type { Part } from './content.ts';
import { invalidField } from './errors.ts';
import type { GroundingSource, ModelRequest } from './language-model.ts';
import { type SessionConfig, settingsOf } from './session.ts';
import { type GenerationSettings, mergeSettings, type SettingOverrides } from './settings.ts';

/** One message of the user, and how it is to be answered. */
export interface Send {
  readonly parts: readonly Part[];
  readonly overrides: SettingOverrides;
  readonly candidateCount?: number;
  readonly groundingSource?: GroundingSource;
  /** Chosen by the caller, so that the turn has an address before its first answer byte. */
  readonly turnId?: string;
  readonly ifVersion?: number;
}

/** Settings of the send win, field by field. Fails with `invalid_argument` when the result contradicts itself. */
export function nextRequest(config: SessionConfig, send: Send): ModelRequest {
  const settings = mergeSettings(settingsOf(config), send.overrides);
  checkContradictions(settings);
  return {
    ...standingRequest(config),
    contents: [{ author: 'user', parts: send.parts }],
    settings,
    ...(send.candidateCount === undefined ? {} : { candidateCount: send.candidateCount }),
    ...(send.groundingSource === undefined ? {} : { groundingSource: send.groundingSource }),
  };
}

/** What every request of the session has, before anything is said. */
export function standingRequest(config: SessionConfig): ModelRequest {
  return {
    model: config.model,
    ...(config.context === undefined ? {} : { context: config.context }),
    examples: config.examples ?? [],
    contents: [],
    settings: settingsOf(config),
  };
}

/**
 * What no model can do, because the settings exclude each other. Checked when they have been merged: each of them may
 * be right by itself, and a session's default may be completed by a send.
 */
function checkContradictions(settings: GenerationSettings): void {
  const { responseJsonSchema, responseMimeType = 'text/plain', thinkingConfig } = settings;
  if (responseJsonSchema !== undefined && responseMimeType === 'text/plain') {
    throw invalidField('/responseJsonSchema', 'needs responseMimeType application/json: plain text has no schema');
  }
  if (thinkingConfig?.thinkingBudget !== undefined && thinkingConfig.thinkingLevel !== undefined) {
    throw invalidField('/thinkingConfig', 'must hold either thinkingBudget or thinkingLevel, not both');
  }
}
