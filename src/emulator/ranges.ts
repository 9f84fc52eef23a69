// Settings out of range are refused; what the range is, each wire knows itself.
import { invalidArgument } from './google-error.ts';

export type Range<Settings> = { readonly name: keyof Settings & string; readonly from: number; readonly to: number };

export function validateRanges<Settings>(settings: Settings, ranges: readonly Range<Settings>[]): void {
  for (const { name, from, to } of ranges) {
    const value = settings[name];
    if (typeof value !== 'number' || (value >= from && value <= to)) continue;
    throw invalidArgument(
      `Unable to submit request because it has a ${name} value of ${value} but the supported range is from ${from} (inclusive) to ${to} (inclusive). Update the value and try again.`,
    );
  }
}
