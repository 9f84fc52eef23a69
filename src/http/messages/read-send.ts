// What a send asks for, from its body and headers to the domain's words.

import type { FastifyReply } from 'fastify';
import type { Static } from 'typebox';
import { textPart } from '../../chat/content.ts';
import type { TurnAddress } from '../../chat/errors.ts';
import type { Send } from '../../chat/next-request.ts';
import { SETTING_NAMES, type SettingOverrides } from '../../chat/settings.ts';
import { wantedVersion } from '../entity-tags.ts';
import { idempotencyOf } from '../idempotency.ts';
import { type PublicPaths, turnPath } from '../problems.ts';
import type { SendMessage } from '../schemas/turn.ts';

interface SendHeaders {
  readonly 'if-match'?: string;
  readonly 'idempotency-key'?: string;
}

export function readSend(body: Static<typeof SendMessage>, headers: SendHeaders): Send {
  const { message, parts, candidateCount, groundingSource, turnId, onBusy } = body;
  const ifVersion = wantedVersion(headers['if-match']);
  const idempotency = idempotencyOf(headers['idempotency-key'], body);
  const overrides = Object.fromEntries(SETTING_NAMES.map((name) => [name, body[name]])) as SettingOverrides;
  return {
    parts: parts ?? [textPart(message ?? '')],
    overrides,
    ...(candidateCount == null ? {} : { candidateCount }),
    ...(groundingSource == null ? {} : { groundingSource }),
    ...(turnId === undefined ? {} : { turnId }),
    ...(onBusy === undefined ? {} : { onBusy }),
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(idempotency ? { idempotency } : {}),
  };
}

/** Every answer of a send says where its turn is, problems included. */
export function addressTurn(reply: FastifyReply, turn: TurnAddress, paths: PublicPaths): void {
  reply.header('location', turnPath(paths, turn)).header('turn-id', turn.turnId);
}
