// The times in which another process was ready to run and got no processor, from the kernel's own count: on a busy machine
// they are not its doing.

import { readFileSync } from 'node:fs';

const EVERY_MS = 5;

export interface CpuWaits {
  /** ms that the process waited for a processor between two moments (performance.now()), at most. */
  within(from: number, to: number): number;
  /** Stops watching; idempotent. */
  stop(): void;
}

interface Sample {
  readonly at: number;
  readonly waitedMs: number;
}

/** Starts watching the main thread of process `pid`. Counts nothing where the kernel does not tell. */
export function watchCpuWaits(pid: number): CpuWaits {
  const samples: Sample[] = [];
  const timer = setInterval(() => {
    const waitedMs = waitedBy(pid);
    if (waitedMs === undefined) clearInterval(timer);
    else samples.push({ at: performance.now(), waitedMs });
  }, EVERY_MS);
  timer.unref();
  return {
    within(from, to) {
      const before = samples.findLast(({ at }) => at <= from);
      const after = samples.find(({ at }) => at >= to);
      return before && after ? after.waitedMs - before.waitedMs : 0;
    },
    stop: () => clearInterval(timer),
  };
}

/** proc(5): `time on the processor, time waiting for one, turns`, in ns. */
function waitedBy(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}
