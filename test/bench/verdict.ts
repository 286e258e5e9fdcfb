// Whether Ferrule has reached its targets, from the results of a run.

import { slowness } from './references.js';
import { figuresOf, type Result, roundsOf } from './result.js';
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
  /** Of the rounds that can be judged, those that have met the limit: other machines' work can only make a round worse. */
  readonly metRounds?: { readonly met: number; readonly of: number };
}

/** One verdict per target whose workload was run with `system`. */
export function judge(results: readonly Result[], targets: readonly Target[], system: string): Verdict[] {
  const run = new Set(results.filter((result) => result.system === system).map(({ workload }) => workload));
  return targets.filter(({ workload }) => run.has(workload)).map((target) => judgeOne(results, target, system));
}

function judgeOne(results: readonly Result[], target: Target, system: string): Verdict {
  const { workload, figure, atMost, ofSystem } = target;
  const own = figuresOf(results, workload, system);
  const other = ofSystem === undefined ? undefined : figuresOf(results, workload, ofSystem);
  const value = own?.[figure] ?? Number.NaN;
  const limit = ofSystem === undefined ? atMost : atMost * (other?.[figure] ?? Number.NaN);
  const verdict = { ...target, value, limit, verdict: against(value, limit), ...metRounds(results, target, system) };
  const limitHere = ofSystem === undefined ? atMost * slowness(target, results) : Number.NaN;
  const verdictHere = against(value, limitHere);
  return verdictHere === 'unknown' ? verdict : { ...verdict, limitHere, verdictHere };
}

function metRounds(
  results: readonly Result[],
  { workload, figure, atMost, ofSystem }: Target,
  system: string,
): Pick<Verdict, 'metRounds'> {
  const valuesOf = (name: string): number[] =>
    roundsOf(results, workload, name).map((figures) => figures[figure] ?? Number.NaN);
  const values = valuesOf(system);
  if (values.length === 0) return {};
  const others = ofSystem === undefined ? values.map(() => 1) : valuesOf(ofSystem);
  const verdicts = values.map((value, n) => against(value, atMost * (others[n] ?? Number.NaN)));
  const met = verdicts.filter((verdict) => verdict === 'met').length;
  return { metRounds: { met, of: verdicts.filter((verdict) => verdict !== 'unknown').length } };
}

function against(value: number, limit: number): Verdict['verdict'] {
  if (Number.isNaN(value) || Number.isNaN(limit)) return 'unknown';
  return value <= limit ? 'met' : 'missed';
}
