// What a send asks for, from its body and headers to the domain's words.

import type { Static } from 'typebox';
import { textPart } from '../../chat/content.ts';
import type { Send, SendAgain } from '../../chat/next-request.ts';
import { SETTING_NAMES, type SettingOverrides } from '../../chat/settings.ts';
import { wantedVersion } from '../entity-tags.ts';
import { idempotencyOf } from '../idempotency.ts';
import type { Regenerate, SendMessage } from '../schemas/send.ts';

interface SendHeaders {
  readonly 'if-match'?: string;
  readonly 'idempotency-key'?: string;
}

export function readSend(body: Static<typeof SendMessage>, headers: SendHeaders): Send {
  const { message, parts } = body;
  return { parts: parts ?? [textPart(message ?? '')], ...readAsking(body, headers, body) };
}

export function readRegenerate(turnId: string, body: Static<typeof Regenerate>, headers: SendHeaders): SendAgain {
  return { again: turnId, ...readAsking(body, headers, { regenerate: turnId, ...body }) };
}

/** `content` is what has to be the same under an idempotency key. */
function readAsking(body: Static<typeof Regenerate>, headers: SendHeaders, content: object): Omit<Send, 'parts'> {
  const { candidateCount, groundingSource, turnId, onBusy } = body;
  const ifVersion = wantedVersion(headers['if-match']);
  const idempotency = idempotencyOf(headers['idempotency-key'], content);
  const overrides = Object.fromEntries(SETTING_NAMES.map((name) => [name, body[name]])) as SettingOverrides;
  return {
    overrides,
    ...(candidateCount == null ? {} : { candidateCount }),
    ...(groundingSource == null ? {} : { groundingSource }),
    ...(turnId === undefined ? {} : { turnId }),
    ...(onBusy === undefined ? {} : { onBusy }),
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(idempotency ? { idempotency } : {}),
  };
}
