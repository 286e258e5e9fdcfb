// What a running process costs, from /proc: memory and open files. For tests that want them flat.

import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  return statusMiB(pid, 'VmRSS');
}

/** The most that it ever had resident, MiB. */
export function peakMiB(pid: number): number {
  return statusMiB(pid, 'VmHWM');
}

const LOOKS = 20;
const LOOK_EVERY_MS = 25;

/** Descriptors that a process keeps open: the fewest in half a second, so that a file just being read is none of them. */
export async function openFiles(pid: number): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let look = 0; look < LOOKS; look += 1) {
    fewest = Math.min(fewest, openNow(pid));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return fewest;
}

/** Descriptors that a process has open at this moment, those of a directory being listed included. */
export function openNow(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Threads that a process has, those of Node itself included. */
export function threadsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

function statusMiB(pid: number, field: string): number {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}
