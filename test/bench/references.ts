// What the other systems took on the machine on which the targets were set (DESIGN section 9; Node 20.20, x64, 2 shared cores). By
// what they take here, in the same run, a target can be carried over: ratios hold better than figures.

import { figuresOf, type Result } from './result.js';
import { pipe } from './systems/pipe.js';
import { plain } from './systems/plain.js';
import type { Target } from './targets.js';

/** Figures of systems, by name. */
type BySystem = Readonly<Record<string, number>>;

function peers(cPipe: number, script: number): BySystem {
  return { [pipe.name]: cPipe, [plain.name]: script };
}

/** Workload, figure. What is no matter of the machine's speed (memory, counts) is not in it. */
const REFERENCES: Readonly<Record<string, Readonly<Record<string, BySystem>>>> = {
  'tcp-qos0': { cpuPerLineUs: peers(2.3, 5.4) },
  // The other systems speak MQTT 3.1.1 in all three.
  'tcp-qos1': { cpuPerLineUs: peers(8.3, 12.1) },
  'tcp-qos1-v4': { cpuPerLineUs: peers(8.3, 12.1) },
  'tcp-qos1-wide': { cpuPerLineUs: peers(8.3, 12.1) },
  'tcp-qos0-counting': { cpuPerLineUs: peers(2.2, 5.6) },
  'tcp-qos1-counting': { cpuPerLineUs: peers(5.3, 11.4) },
  'ptys-8': { cpuPercent: peers(20, 52), p99Ms: peers(0.86, 1.7), p999Ms: peers(25, 28) },
  'connections-5000': { cpuPercent: { [plain.name]: 29 }, p99Ms: { [plain.name]: 1.8 } },
  start: { startMs: peers(34, 297) },
};

/**
 * How many times slower this machine is, by the peer that suffers least: the stricter reading. NaN: no peer was measured here, or
 * none there.
 */
export function slowness(
  { workload, figure }: Pick<Target, 'workload' | 'figure'>,
  results: readonly Result[],
): number {
  const there = Object.entries(REFERENCES[workload]?.[figure] ?? {});
  const factors = there.map(
    ([system, value]) => (figuresOf(results, workload, system)?.[figure] ?? Number.NaN) / value,
  );
  const known = factors.filter((factor) => !Number.isNaN(factor));
  return known.length === 0 ? Number.NaN : Math.min(...known);
}
