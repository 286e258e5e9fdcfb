// How much of the processors a hypervisor gives to others while we measure: time in which a process was ready to run here and did
// not, which it is charged for all the same. See proc(5), `steal` in /proc/stat.

import { readFileSync } from 'node:fs';

/** proc(5): user, nice, system, idle, iowait, irq, softirq, steal. */
const [IDLE, IOWAIT, STEAL] = [3, 4, 7];
const FIELDS = 8;

export interface ProcessorTime {
  /** Ticks of all processors in which there was something to do; those that were stolen are in it. */
  readonly wanted: number;
  readonly stolen: number;
}

/** Since the machine was started; `stat`: the text of /proc/stat. */
export function processorTime(stat: string = readFileSync('/proc/stat', 'utf8')): ProcessorTime {
  const fields = stat
    .slice(0, stat.indexOf('\n'))
    .split(/ +/)
    .slice(1, 1 + FIELDS)
    .map(Number);
  const all = fields.reduce((sum, ticks) => sum + ticks, 0);
  return { wanted: all - (fields[IDLE] ?? 0) - (fields[IOWAIT] ?? 0), stolen: fields[STEAL] ?? 0 };
}

/** Of what was wanted meanwhile, %. */
export function stolenPercent(before: ProcessorTime, after: ProcessorTime): number {
  const wanted = after.wanted - before.wanted;
  return wanted > 0 ? (100 * (after.stolen - before.stolen)) / wanted : 0;
}
