// Sums of usage in a hash, field by field, as `lua/usage.lua` writes them.

import type { Usage } from '../../chat/language-model.ts';
import type { TurnEndState } from '../../chat/turn.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { number } from './stored-session.ts';

const KINDS = ['prompt', 'output', 'thought', 'cached', 'total'] as const;
const STATES = ['COMMITTED', 'BLOCKED', 'FAILED', 'CANCELLED'] as const satisfies readonly TurnEndState[];

const tokenFields = (sums: string) => KINDS.map((kind) => `${sums}${kind}`);

/** What `sumsOf` needs, in its order. */
export const USAGE_FIELDS: readonly string[] = [
  ...tokenFields('tokens:'),
  ...STATES.flatMap((state) => [`turns:${state}`, ...tokenFields(`tokens:${state}:`)]),
];

export function sumsOf(fields: readonly unknown[]): UsageSums {
  const values = fields.map(number);
  const states = STATES.flatMap((state, index) => {
    const [turns = 0, ...tokens] = values.slice(KINDS.length + index * (KINDS.length + 1));
    return turns > 0 ? [[state, { turns, ...usageOf(tokens) }] as const] : [];
  });
  return { usage: usageOf(values), byState: Object.fromEntries(states) };
}

/** In the order of `KINDS`; there may be more behind them. */
function usageOf(tokens: readonly number[]): Usage {
  const [promptTokens = 0, outputTokens = 0, thoughtTokens = 0, cachedTokens = 0, totalTokens = 0] = tokens;
  return { promptTokens, outputTokens, thoughtTokens, cachedTokens, totalTokens };
}

/** As scripts take them. */
export function tokensOf(usage: Usage | undefined): readonly number[] {
  const { promptTokens = 0, outputTokens = 0, thoughtTokens = 0, cachedTokens = 0, totalTokens = 0 } = usage ?? {};
  return [promptTokens, outputTokens, thoughtTokens, cachedTokens, totalTokens];
}
