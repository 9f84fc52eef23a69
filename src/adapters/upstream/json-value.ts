// Reading JSON of unknown shape.

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects of a list; anything else in it, or instead of it, is passed over. */
export function objectsIn(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function stringsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** More tokens than any request has; sums of many of these are still exact. */
const COUNT_MAX = 1e12;

/** A count that can be believed and added up; a 64-bit number may be written as text. */
export function countIn(value: unknown): number | undefined {
  const count = numberIn(value);
  return count !== undefined && count >= 0 && count <= COUNT_MAX ? Math.trunc(count) : undefined;
}

/** A position in a text; what is none is its beginning. */
export function offsetIn(value: unknown): number {
  const offset = numberIn(value) ?? 0;
  return Math.trunc(Math.min(Math.max(offset, 0), Number.MAX_SAFE_INTEGER));
}

/** Proto JSON writes 64-bit numbers as text. Nothing else becomes a number: `null`, `""` and `true` would. */
export function numberIn(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
