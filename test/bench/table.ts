// The results of a run as one Markdown table: a row per figure, a column per system, each peer with its ratio to Ferrule, and what
// Ferrule was to reach. Only figures that somebody compares are in it; the JSON file has them all.

import { figuresOf, type Result } from './result.js';
import type { Verdict } from './verdict.js';

/** Figures in the table, in this order; others only if they are a target. */
const SHOWN = [
  ...[
    'linesPerSecond',
    'cpuPerLineUs',
    'cpuPercent',
    'wakeUpsPerSecond',
    'pssMiB',
    'peakRssMiB',
    'p50Ms',
    'p99Ms',
    'p999Ms',
  ],
  ...[
    'kibPerConnection',
    'kibOverBareSocket',
    'roundTrips',
    'replugMs',
    'startMs',
    'emptyNodeMs',
    'idlePssMiB',
    'idleWakeUpsPerSecond',
  ],
  ...['read', 'backlog', 'undelivered', 'exitMs', 'exitCode', 'received', 'lost', 'doubled', 'outOfOrder', 'damaged'],
  ...['droppedWrites', 'connectionsLost', 'unanswered'],
  'stolenPercent',
  ...['generatorLinesPerSecond', 'countingBrokerLinesPerSecond', 'mosquittoAndSinkLinesPerSecond'],
];

/** The table; `base`: the system that the others are compared with. */
export function tableOf(results: readonly Result[], verdicts: readonly Verdict[], base: string): string {
  const systems = [base, ...new Set(results.map(({ system }) => system).filter((system) => system !== base))];
  const lines = [
    row(['workload', 'figure', ...systems, 'target']),
    row(systems.map(() => '---').concat('---', '---', '---')),
  ];
  for (const workload of new Set(results.map((result) => result.workload))) {
    for (const figure of figuresIn(results, workload)) {
      const cells = systems.map((system) => cell(results, { workload, figure, system, base }));
      lines.push(row([workload, figure, ...cells, targetCell(verdicts, workload, figure)]));
    }
  }
  return lines.join('\n');
}

/** What was skipped or failed, a line each. */
export function notesOf(results: readonly Result[]): string[] {
  return results.flatMap(({ workload, system, skipped, error }) => {
    if (skipped !== undefined) return [`skipped: ${workload} with ${system}: ${skipped}`];
    return error === undefined ? [] : [`FAILED: ${workload} with ${system}: ${error}`];
  });
}

/** A figure as short as it still says something: three digits, or whole. */
export function short(value: number): string {
  if (Number.isNaN(value)) return 'n/a';
  if (value === 0 || Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

function figuresIn(results: readonly Result[], workload: string): string[] {
  const there = new Set(
    results.filter((one) => one.workload === workload).flatMap(({ figures }) => Object.keys(figures)),
  );
  return SHOWN.filter((figure) => there.has(figure));
}

interface Place {
  readonly workload: string;
  readonly figure: string;
  readonly system: string;
  readonly base: string;
}

function cell(results: readonly Result[], { workload, figure, system, base }: Place): string {
  const value = figuresOf(results, workload, system)?.[figure];
  if (value === undefined) return '';
  const own = figuresOf(results, workload, base)?.[figure];
  const hasRatio = system !== base && own !== undefined && own > 0 && value > 0;
  return hasRatio ? `${short(value)} (x${short(value / own)})` : short(value);
}

function targetCell(verdicts: readonly Verdict[], workload: string, figure: string): string {
  const fitting = verdicts.filter((verdict) => verdict.workload === workload && verdict.figure === figure);
  return fitting
    .map((one) => `<= ${short(one.limit)}${of(one)}: ${one.verdict}${inRounds(one)}${here(one)}`)
    .join('; ');
}

/** Said where the rounds do not agree. */
function inRounds({ metRounds }: Verdict): string {
  if (metRounds === undefined || metRounds.met === 0 || metRounds.met === metRounds.of) return '';
  return ` (met in ${metRounds.met} of ${metRounds.of} rounds)`;
}

function here({ limitHere, verdictHere }: Verdict): string {
  return limitHere === undefined ? '' : `, <= ${short(limitHere)} by the peers here: ${verdictHere}`;
}

function of({ ofSystem, atMost, prototype }: Verdict): string {
  if (ofSystem !== undefined) return ` (${short(atMost)} of ${ofSystem.replaceAll('|', '\\|')})`;
  return prototype === undefined ? '' : ` [${short(prototype)}]`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replace(/(?<!\\)\|/g, '\\|')).join(' | ')} |`;
}
