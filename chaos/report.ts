// What a run tells at its end: how much it has checked, how much it has disturbed, and each violation with the operations
// that show it.

import type { Disturbed, Evidence, Operation, Segment, Violation } from './evidence.ts';
import { isAcknowledged } from './session-facts.ts';

const EXCERPT_OPERATIONS_MAX = 14;
const VIOLATIONS_SHOWN_MAX = 40;
const LINE_LENGTH_MAX = 1200;

export interface RunSummary {
  readonly evidence: Evidence;
  readonly violations: readonly Violation[];
  /** When the clients stopped: what came later is no write gap. */
  readonly clientsEndedMs: number;
}

export function report(summary: RunSummary): string {
  return [
    ...totals(summary),
    ...faults(summary.evidence.disturbed),
    ...summary.violations.slice(0, VIOLATIONS_SHOWN_MAX).flatMap((violation) => excerpt(violation, summary)),
    `violations: ${summary.violations.length}${byInvariant(summary.violations)}`,
  ].join('\n');
}

/** Everything that was done and disturbed, a line of JSON each. */
export function operationLog({ evidence }: RunSummary): string {
  return [...evidence.disturbed, ...evidence.operations].map((one) => `${JSON.stringify(one)}\n`).join('');
}

/** For a program to read: what was found, each kind once. */
export function resultOf({ violations }: RunSummary): string {
  const byKind = Map.groupBy(violations, ({ invariant }) => invariant);
  return JSON.stringify([...byKind].map(([invariant, [first]]) => ({ invariant, message: first?.message })));
}

function totals({ evidence, clientsEndedMs }: RunSummary): string[] {
  const { operations, disturbed, modelCalls, keys, processes } = evidence;
  const sends = operations.filter((operation) => operation.kind === 'send');
  const turns = new Set(sends.map(({ sessionId, turnId, token }) => `${sessionId}/${turnId ?? token}`));
  const segments = sends.flatMap((send) => send.segments);
  const rows = [...Map.groupBy(operations, ({ kind }) => kind)].map(([kind, own]) => [kind, ...outcomes(own)]);
  const gap = longestGap(
    sends.filter(isAcknowledged).map(({ endedMs }) => endedMs),
    clientsEndedMs,
  );
  return [
    table([['operation', 'ok', 'fail', 'info'], ...rows, ['all', ...outcomes(operations)]]),
    `turns checked: ${turns.size}, acknowledged: ${sends.filter(isAcknowledged).length}, on ${segments.length} connections of streams`,
    `sessions: ${new Set(operations.map(({ sessionId }) => sessionId)).size}, model calls: ${modelCalls.length}, keys left: ${keys.length}`,
    `longest write gap: ${(gap.ms / 1000).toFixed(1)} s, from ${(gap.fromMs / 1000).toFixed(1)} s on`,
    ...meanwhile(disturbed, gap.fromMs, gap.fromMs + gap.ms),
    ...processes.map(({ replica, baseline, atEnd }) => {
      return (
        `replica ${replica}: ${baseline?.fds} → ${atEnd?.fds} open files, ${baseline?.liveMiB} → ${atEnd?.liveMiB} MiB alive, ` +
        `${baseline?.rssMiB} → ${atEnd?.rssMiB} MiB in all`
      );
    }),
  ];
}

function outcomes(operations: readonly Operation[]): string[] {
  return (['ok', 'fail', 'info'] as const).map((outcome) => {
    return String(operations.filter((operation) => operation.outcome === outcome).length);
  });
}

/** Between two acknowledged turns, whichever sessions they are of. */
function longestGap(ackedMs: readonly number[], endMs: number): { readonly ms: number; readonly fromMs: number } {
  const times = [0, ...ackedMs.filter((ms) => ms < endMs), endMs].sort((a, b) => a - b);
  return times.slice(1).reduce(
    (longest, ms, index) => {
      const fromMs = times[index] ?? 0;
      return ms - fromMs > longest.ms ? { ms: ms - fromMs, fromMs } : longest;
    },
    { ms: 0, fromMs: 0 },
  );
}

function faults(disturbed: readonly Disturbed[]): string[] {
  const byKind = [...Map.groupBy(disturbed, ({ kind }) => kind)].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = byKind.map(([kind, all]) => {
    return [kind, String(all.length), String(all.filter(({ what }) => /^failed|none came/.test(what)).length)];
  });
  return ['', table([['fault', 'times', 'not possible'], ...rows]), ''];
}

function byInvariant(violations: readonly Violation[]): string {
  const counts = [...Map.groupBy(violations, ({ invariant }) => invariant)];
  return counts.length === 0 ? '' : ` (${counts.map(([name, all]) => `${name}: ${all.length}`).join(', ')})`;
}

function excerpt({ invariant, message, sessionId, operations: numbers }: Violation, summary: RunSummary): string[] {
  const { operations } = summary.evidence;
  const shown = operations.filter(({ number }) => numbers.includes(number)).slice(0, EXCERPT_OPERATIONS_MAX);
  const from = Math.min(...shown.map(({ beganMs }) => beganMs)) - 1000;
  const to = Math.max(...shown.map(({ endedMs }) => endedMs)) + 1000;
  return [
    `VIOLATION of ${invariant}${sessionId === undefined ? '' : ` in session ${sessionId}`}: ${message}`,
    ...shown.map((operation) => `  ${line(operation)}`),
    ...meanwhile(summary.evidence.disturbed, from, to),
    '',
  ];
}

function meanwhile(disturbed: readonly Disturbed[], from: number, to: number): string[] {
  const during = disturbed.filter(({ fromMs, toMs }) => fromMs < to && toMs > from);
  return during.slice(0, EXCERPT_OPERATIONS_MAX).map(({ fromMs, toMs, kind, what }) => {
    return `  meanwhile ${span(fromMs, toMs)} ${kind}: ${what}`;
  });
}

function line(operation: Operation): string {
  const { number, beganMs, endedMs, client, replica, kind, outcome, status, code = '' } = operation;
  const start = `#${number} ${span(beganMs, endedMs)} ${client} → replica ${replica} ${kind} ${outcome} ${status} ${code}`;
  return `${start} ${detail(operation)}`.slice(0, LINE_LENGTH_MAX);
}

function detail(operation: Operation): string {
  switch (operation.kind) {
    case 'send': {
      const { way, question, turnId, key, turn, segments } = operation;
      return `${way} “${question}” ${turnId ?? ''} ${key ?? ''} ${JSON.stringify(turn)} ${seen(segments)}`;
    }
    case 'follow':
      return seen(operation.segments);
    case 'watch':
      return `${operation.turnId} ${seen(operation.segments)}`;
    case 'history':
      return `${operation.messages?.length ?? 'no'} messages`;
    case 'turn':
    case 'cancel':
      return `${operation.turnId} ${JSON.stringify(operation.turn)}`;
    case 'session':
      return `version ${operation.version}, ${operation.messageCount} messages, running ${operation.activeTurnId}`;
    case 'patch':
    case 'create':
      return `version ${operation.version}`;
    case 'delete':
      return '';
    default:
      return operation satisfies never;
  }
}

function seen(segments: readonly Segment[]): string {
  const lines = segments.map(({ replica, after, status, frames, end }) => {
    const events = frames.map(({ id, event }) => `${id} ${event}`).join(' ');
    return `[r${replica} after ${after ?? 'nothing'} ${status}: ${events} | ${end}]`;
  });
  return lines.join(' ');
}

function span(fromMs: number, toMs: number): string {
  return `${(fromMs / 1000).toFixed(3)}–${(toMs / 1000).toFixed(3)} s`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
