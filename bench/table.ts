// From rounds to tables: medians with the least and the most, and what they are held against.

import type { Measured } from './run.ts';
import type { Figure, Reference, Scenario } from './scenarios/scenario.ts';
import { median } from './statistics.ts';
import { SERVICE } from './targets/service.ts';

interface Values {
  of(scenario: string, subject: string, figure: string): readonly number[];
  hasFailed(scenario: string, subject: string): boolean;
}

/** One table of these scenarios; its columns are all that was measured in any of them. */
export function tableOf(measured: readonly Measured[], isJudged: boolean): string {
  const values = valuesOf(measured);
  const columns = [...new Set(measured.map(({ subject }) => subject))];
  const heads = ['', ...columns, ...(isJudged ? ['goal', ''] : [])];
  const rows = scenariosOf(measured).flatMap((scenario) =>
    scenario.figures.map((figure) => {
      const cells = columns.map((column) => cell(values, scenario, column, figure));
      const judged = isJudged ? judgement(values, scenario, figure) : [];
      return row([`${scenario.title}: ${figure.unit}`, ...cells, ...judged]);
    }),
  );
  return `${row(heads)}\n|${'---|'.repeat(heads.length)}\n${rows.join('\n')}\n`;
}

function scenariosOf(measured: readonly Measured[]): readonly Scenario[] {
  return [...new Set(measured.map(({ scenario }) => scenario))];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function valuesOf(measured: readonly Measured[]): Values {
  const find = (name: string, subject: string) =>
    measured.find((one) => one.scenario.name === name && one.subject === subject);
  return {
    of(scenario, subject, figure) {
      const rounds = find(scenario, subject)?.rounds ?? [];
      return rounds.flatMap((figures) => (figures[figure] === undefined ? [] : [figures[figure]]));
    },
    hasFailed: (scenario, subject) => find(scenario, subject)?.failure !== undefined,
  };
}

function cell(values: Values, scenario: Scenario, subject: string, figure: Figure): string {
  const own = values.of(scenario.name, subject, figure.name);
  if (own.length === 0) return values.hasFailed(scenario.name, subject) ? 'failed' : '–';
  const times = figure.reference && ratio(values, scenario, subject, figure, figure.reference);
  const spread = own.length === 1 ? '' : ` (${short(Math.min(...own))}–${short(Math.max(...own))})`;
  return `${short(median(own))}${spread}${times === undefined ? '' : ` ×${times.toFixed(2)}`}`;
}

/** Nothing of the reference itself. */
function ratio(values: Values, { name }: Scenario, subject: string, figure: Figure, reference: Reference) {
  if (reference.scenario === undefined && reference.target === subject) return undefined;
  const own = median(values.of(name, subject, figure.name));
  const theirs = median(values.of(reference.scenario ?? name, reference.target, reference.figure ?? figure.name));
  const times = own / theirs;
  // What is added over direct can be less than nothing, where all of it is noise.
  return Number.isFinite(times) && times > 0 ? times : undefined;
}

/** The goal, and whether the service has reached it. */
function judgement(values: Values, scenario: Scenario, figure: Figure): readonly [string, string] {
  const { reference, atMost, atLeast } = figure;
  const own = median(values.of(scenario.name, SERVICE, figure.name));
  if (atMost !== undefined) return [`≤ ${short(atMost)}`, verdict(own, own <= atMost)];
  if (atLeast !== undefined) return [`≥ ${short(atLeast)}`, verdict(own, own >= atLeast)];
  if (reference?.goal === undefined) return [reference ? `× ${reference.words ?? reference.target}` : '', ''];
  const times = ratio(values, scenario, SERVICE, figure, reference);
  const goal = `≤ ${reference.goal} × ${reference.words ?? reference.target}`;
  return [goal, times === undefined ? '' : verdict(times, times <= reference.goal)];
}

function verdict(value: number, isMet: boolean): string {
  if (!Number.isFinite(value)) return '';
  return isMet ? 'met' : 'not met';
}

function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
