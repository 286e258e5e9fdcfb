// One thing that a system under test is made to do, and the figures that come of it.

import type { BenchRig } from './bench-rig.js';
import type { Ability } from './system.js';

/** Figure to value; the unit stands in the name. NaN = there is none. */
export type Figures = Readonly<Record<string, number>>;

export interface Workload {
  /** For `--only`. */
  readonly name: string;
  /** One line for `--list`. */
  readonly title: string;
  readonly needs: readonly Ability[];
  /** Descriptors that a process has open at once, where that is many. */
  readonly descriptors?: number;
  run(rig: BenchRig): Promise<Figures>;
}
