// What a send asks for, and the request it makes of a session, its history aside.

import type { Idempotency, OnBusy } from './claim.ts';
import type { Part } from './content.ts';
import type { Example, GroundingSource, ModelRequest } from './language-model.ts';
import { type SessionConfig, settingsOf } from './session.ts';
import { checkSettings, mergeSettings, type SettingOverrides } from './settings.ts';

/** One message of the user, and how it is to be answered. */
export interface Send extends Asking {
  readonly parts: readonly Part[];
}

/** The question of an earlier turn, to be answered again, or after all. */
export interface SendAgain extends Asking {
  readonly again: string;
}

interface Asking {
  readonly overrides: SettingOverrides;
  readonly candidateCount?: number;
  readonly groundingSource?: GroundingSource;
  /** Chosen by the caller, so that the turn has an address before its first answer byte. */
  readonly turnId?: string;
  readonly ifVersion?: number;
  /** What to do while another turn runs; refused unless it says otherwise. */
  readonly onBusy?: OnBusy;
  /** Names this send, so that it can be sent again without being another one. */
  readonly idempotency?: Idempotency;
  /** Asked before a turn begins, and not when the same send has made one before. What it fails with is the answer. */
  readonly admit?: () => Promise<void>;
}

/** Settings of the send win, field by field. Fails with `invalid_argument` when the result contradicts itself. */
export function nextRequest(config: SessionConfig, send: Asking, question: readonly Part[]): ModelRequest {
  const settings = mergeSettings(settingsOf(config), send.overrides);
  checkSettings(settings);
  return {
    ...standingRequest(config),
    contents: [{ author: 'user', parts: question }],
    settings,
    ...(send.candidateCount === undefined ? {} : { candidateCount: send.candidateCount }),
    ...(send.groundingSource === undefined ? {} : { groundingSource: send.groundingSource }),
  };
}

/** One list, so that an adapter can see that they are still the same. */
const NO_EXAMPLES: readonly Example[] = [];

/** What every request of the session has, before anything is said. */
export function standingRequest(config: SessionConfig): ModelRequest {
  return {
    model: config.model,
    ...(config.context === undefined ? {} : { context: config.context }),
    examples: config.examples ?? NO_EXAMPLES,
    contents: [],
    settings: settingsOf(config),
  };
}
