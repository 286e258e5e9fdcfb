// Whether Ferrule has reached its targets, from the results of a run.

import { figuresOf, type Result } from './result.js';
import type { Target } from './targets.js';

export interface Verdict extends Target {
  /** What was measured. */
  readonly value: number;
  /** The limit, the share of another system worked out. */
  readonly limit: number;
  /** `unknown`: there is no such figure, or none of the system that it is compared with. */
  readonly verdict: 'met' | 'missed' | 'unknown';
}

/** One verdict per target whose workload was run with `system`. */
export function judge(results: readonly Result[], targets: readonly Target[], system: string): Verdict[] {
  const run = new Set(results.filter((result) => result.system === system).map(({ workload }) => workload));
  return targets.filter(({ workload }) => run.has(workload)).map((target) => judgeOne(results, target, system));
}

function judgeOne(results: readonly Result[], target: Target, system: string): Verdict {
  const { workload, figure, atMost, ofSystem } = target;
  const value = figuresOf(results, workload, system)?.[figure] ?? Number.NaN;
  const other = ofSystem === undefined ? 1 : (figuresOf(results, workload, ofSystem)?.[figure] ?? Number.NaN);
  const limit = atMost * other;
  const isKnown = !Number.isNaN(value) && !Number.isNaN(limit);
  return { ...target, value, limit, verdict: isKnown ? (value <= limit ? 'met' : 'missed') : 'unknown' };
}
