// From rounds to tables: medians, with the least and the most.

import type { Scenario } from './scenarios/scenario.ts';

export interface Measured {
  readonly scenario: Scenario;
  readonly target: string;
  readonly figures: Readonly<Record<string, number>>;
}

export function summarize(measured: readonly Measured[]): string {
  const [first] = measured;
  if (!first) return '';
  const { scenario } = first;
  const targets = [...new Set(measured.map(({ target }) => target))];
  const lines = scenario.figures.map((figure) => {
    const cells = targets.map((target) => {
      const values = valuesOf(measured, target, figure.name);
      return values.length === 0 ? '–' : spread(values) + ratio(measured, values, figure.reference);
    });
    return `| ${figure.unit} | ${cells.join(' | ')} |`;
  });
  const head = `| ${scenario.title} | ${targets.join(' | ')} |\n|---|${'---|'.repeat(targets.length)}`;
  return `${head}\n${lines.join('\n')}\n\n`;
}

function valuesOf(measured: readonly Measured[], target: string, figure: string): readonly number[] {
  return measured
    .filter((one) => one.target === target && one.figures[figure] !== undefined)
    .map(({ figures }) => figures[figure] ?? Number.NaN);
}

function ratio(
  measured: readonly Measured[],
  values: readonly number[],
  reference: { target: string } | undefined,
): string {
  if (!reference) return '';
  const theirs = valuesOf(measured, reference.target, 'cpu');
  return theirs.length === 0 ? '' : ` ×${(median(values) / median(theirs)).toFixed(2)}`;
}

function spread(values: readonly number[]): string {
  return `${short(median(values))} (${short(Math.min(...values))}–${short(Math.max(...values))})`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}
