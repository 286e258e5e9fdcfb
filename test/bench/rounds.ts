// Several rounds of one workload with one system as one result. On a machine with neighbours the speed changes by the minute, by a
// half and more: systems that take turns have had the same minutes, and the middle of their rounds is not a bad moment's. Rounds in
// which the hypervisor gave the processors to others are left out, as long as there are calm ones.

import { median } from './median.js';
import type { Result } from './result.js';
import type { Figures } from './workload.js';

/** Of what was wanted of the processors, % that others may have had in a calm round. */
const CALM_PERCENT = 2;

/** Of these the worst round counts: a line that was lost once has been lost. */
const WORST = new Set([
  ...['lost', 'doubled', 'outOfOrder', 'damaged', 'unanswered', 'connectionsLost', 'droppedWrites'],
  ...['undelivered', 'exitCode', 'exitMs', 'peakRssMiB', 'worstStartMs'],
]);

/** Whether a further round is worth it: of those that went, fewer than `wanted` were calm. */
export function lacksCalm(rounds: readonly Result[], wanted: number): boolean {
  const went = rounds.map(({ figures }) => figures).filter(hasAny);
  return went.length > 0 && went.filter(isCalm).length < wanted;
}

/** One result of at least one round. A round that failed or was skipped says so; the figures are those of the others. */
export function combine(rounds: readonly [Result, ...Result[]]): Result {
  const [first] = rounds;
  const went = rounds.filter(({ figures }) => hasAny(figures));
  const error = rounds.find((round) => round.error !== undefined)?.error;
  return {
    ...first,
    figures: combineFigures(went.map(({ figures }) => figures)),
    load: Math.max(...rounds.map(({ load }) => load)),
    ...(error !== undefined && { error }),
    ...(rounds.length > 1 && { rounds: rounds.map(({ figures }) => figures) }),
  };
}

function combineFigures(rounds: readonly Figures[]): Figures {
  const names = new Set(rounds.flatMap((figures) => Object.keys(figures)));
  const calm = rounds.filter(isCalm);
  const middleOf = calm.length > 0 ? calm : rounds;
  return Object.fromEntries(
    [...names].map((name) => [name, WORST.has(name) ? worst(name, rounds) : median(known(name, middleOf))]),
  );
}

function hasAny(figures: Figures): boolean {
  return Object.keys(figures).length > 0;
}

function isCalm({ stolenPercent = 0 }: Figures): boolean {
  return stolenPercent <= CALM_PERCENT;
}

function worst(name: string, rounds: readonly Figures[]): number {
  const values = known(name, rounds);
  return values.length === 0 ? Number.NaN : Math.max(...values);
}

function known(name: string, rounds: readonly Figures[]): number[] {
  return rounds.map((figures) => figures[name] ?? Number.NaN).filter((value) => !Number.isNaN(value));
}
