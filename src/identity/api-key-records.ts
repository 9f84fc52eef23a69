// Kept keys as text: the file that operators write, and the records that Redis holds.

import { Ajv } from 'ajv';
import { Type } from 'typebox';
import type { ApiKey } from './api-keys.ts';
import { isOwner } from './identity.ts';

const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$' });
const Record = Type.Object(
  {
    owner: Type.String(),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    // Closed, and of known words alone: a misspelled one would give more than was meant.
    scopes: Type.Optional(Type.Array(Type.Enum(['chat', 'read']))),
    createTime: Type.Optional(Time),
    expireTime: Type.Optional(Time),
  },
  { additionalProperties: false },
);

const ajv = new Ajv({ strict: false, validateFormats: false });
const isFile = ajv.compile<ApiKey[]>(Type.Array(Record, { maxItems: 1_000_000 }) as object);
const isRecord = ajv.compile<ApiKey>(Record as object);

/** Throws an Error whose text says what is wrong, and where; it quotes no value. */
export function parseKeyFile(text: string): readonly ApiKey[] {
  const keys = parse(text);
  if (!isFile(keys)) {
    const [error] = isFile.errors ?? [];
    throw new Error(`is not a list of keys: ${error?.instancePath || 'it'} ${error?.message}`);
  }
  const nameless = keys.findIndex(({ owner, expireTime }) => !isOwner(owner) || !isTime(expireTime));
  if (nameless !== -1) throw new Error(`is not a list of keys: /${nameless} has no usable owner, or no such time`);
  if (new Set(keys.map(({ sha256 }) => sha256)).size < keys.length) throw new Error('holds the same key twice');
  return keys;
}

export function formatKeyFile(keys: readonly ApiKey[]): string {
  return `${JSON.stringify(keys, null, 2)}\n`;
}

/** `undefined` for what is no record: such a key lets nobody in. */
export function parseKeyRecord(text: string): ApiKey | undefined {
  try {
    const key = parse(text);
    return isRecord(key) && isOwner(key.owner) && isTime(key.expireTime) ? key : undefined;
  } catch {
    return undefined;
  }
}

function isTime(time: string | undefined): boolean {
  return time === undefined || !Number.isNaN(Date.parse(time));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's text quotes the file.
    throw new Error('is not JSON');
  }
}
