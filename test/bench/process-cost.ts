// What running processes cost, from /proc: processor time, memory, wake-ups. A process counts with all its descendants, since a
// pipeline is a shell with children.

import { readdirSync, readFileSync } from 'node:fs';
import { peakMiB } from '../support/process-figures.js';

/** Clock ticks per second that /proc counts in: 100 on every Linux that Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;
/** proc(5): utime and stime are fields 14 and 15; behind the name, which may hold spaces, they are these. */
const [UTIME, STIME] = [11, 12];

export interface ProcessCost {
  /** utime + stime, ms; whole ticks of 10 ms. */
  readonly cpuMs: number;
  /** Proportional share of memory, MiB. */
  readonly pssMiB: number;
  /** Memory of its own, MiB: not what it shares with other processes of the same program, as pssMiB has it in part. */
  readonly anonMiB: number;
  /** Sum of the largest resident sizes that each process has had, MiB. */
  readonly peakRssMiB: number;
  /** Times that a thread went to sleep of its own will: each is followed by a wake-up. */
  readonly sleeps: number;
}

/** A process and its descendants. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

/** The cost so far, of a process and its descendants. One that ends meanwhile counts no more. */
export function costOf(pid: number): ProcessCost {
  const pids = familyOf(pid);
  const sum = (of: (pid: number) => number): number => pids.reduce((total, each) => total + (safely(each, of) || 0), 0); // NaN: a zombie has no memory
  return {
    cpuMs: sum(cpuMs),
    pssMiB: sum((each) => rollupMiB(each, 'Pss')),
    anonMiB: sum((each) => rollupMiB(each, 'Anonymous')),
    peakRssMiB: sum(peakMiB),
    sleeps: sum(sleeps),
  };
}

function childrenOf(pid: number): number[] {
  const lists = threadsOf(pid).map((thread) => safely(thread, () => readFileSync(`${thread}/children`, 'utf8')) ?? '');
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

function threadsOf(pid: number): string[] {
  const ids = safely(pid, () => readdirSync(`/proc/${pid}/task`)) ?? [];
  return ids.map((id) => `/proc/${pid}/task/${id}`);
}

function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[UTIME]) + Number(fields[STIME])) * 1000) / TICKS_PER_SECOND;
}

function rollupMiB(pid: number, figure: 'Pss' | 'Anonymous'): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${figure}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
}

function sleeps(pid: number): number {
  const counts = threadsOf(pid).map((thread) => safely(thread, () => readFileSync(`${thread}/status`, 'utf8')) ?? '');
  return counts.reduce((sum, text) => sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1] ?? 0), 0);
}

/** Undefined when the process or thread is gone. */
function safely<A, T>(of: A, read: (of: A) => T): T | undefined {
  try {
    return read(of);
  } catch {
    return undefined;
  }
}
