// Whether Ferrule has reached its targets, from the results of a run.

import { slowness } from './references.js';
import { figuresOf, type Result } from './result.js';
import type { Target } from './targets.js';

export interface Verdict extends Target {
  /** What was measured. */
  readonly value: number;
  /** The limit, the share of another system worked out. */
  readonly limit: number;
  /** `unknown`: there is no such figure, or none of the system that it is compared with. */
  readonly verdict: 'met' | 'missed' | 'unknown';
  /** The limit carried over to this machine by what the peers took in the same run; where that can be told. */
  readonly limitHere?: number;
  readonly verdictHere?: 'met' | 'missed';
}

/** One verdict per target whose workload was run with `system`. */
export function judge(results: readonly Result[], targets: readonly Target[], system: string): Verdict[] {
  const run = new Set(results.filter((result) => result.system === system).map(({ workload }) => workload));
  return targets.filter(({ workload }) => run.has(workload)).map((target) => judgeOne(results, target, system));
}

function judgeOne(results: readonly Result[], target: Target, system: string): Verdict {
  const { workload, figure, atMost, ofSystem } = target;
  const value = figuresOf(results, workload, system)?.[figure] ?? Number.NaN;
  if (ofSystem !== undefined) {
    const limit = atMost * (figuresOf(results, workload, ofSystem)?.[figure] ?? Number.NaN);
    return { ...target, value, limit, verdict: against(value, limit) };
  }
  const verdict = { ...target, value, limit: atMost, verdict: against(value, atMost) };
  const limitHere = atMost * slowness(target, results);
  const verdictHere = against(value, limitHere);
  return verdictHere === 'unknown' ? verdict : { ...verdict, limitHere, verdictHere };
}

function against(value: number, limit: number): Verdict['verdict'] {
  if (Number.isNaN(value) || Number.isNaN(limit)) return 'unknown';
  return value <= limit ? 'met' : 'missed';
}
