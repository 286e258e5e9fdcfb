// How one workload went with one system.

import type { Figures } from './workload.js';

export interface Result {
  readonly workload: string;
  readonly system: string;
  /** Empty if it was skipped or failed. */
  readonly figures: Figures;
  /** Each round's, where there were several; nothing for one that failed, so that those of two systems go together. */
  readonly rounds?: readonly Figures[];
  /** Why it was not tried. */
  readonly skipped?: string;
  /** Why it has no figures. */
  readonly error?: string;
  /** Load average of the machine when it began. */
  readonly load: number;
}

/** The figures of a workload with a system, if it has any. */
export function figuresOf(results: readonly Result[], workload: string, system: string): Figures | undefined {
  const found = results.find((result) => result.workload === workload && result.system === system);
  return found !== undefined && Object.keys(found.figures).length > 0 ? found.figures : undefined;
}

/** Those of each round; empty where there was one only. */
export function roundsOf(results: readonly Result[], workload: string, system: string): readonly Figures[] {
  return results.find((result) => result.workload === workload && result.system === system)?.rounds ?? [];
}
